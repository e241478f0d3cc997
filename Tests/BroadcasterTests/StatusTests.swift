import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

@Suite(.timeLimit(.minutes(2)))
struct StatusTests {
    /// A task that is cancelled in the moment of a change: neither waits for the other.
    @Test func watchersMayEndWhileTheStatusChanges() async throws {
        let broadcast = try Broadcast("memory://")
        for _ in 0..<2000 {
            let watching = (0..<4).map { _ in
                Task { for await _ in broadcast.statuses {} }
            }
            // Each waits for a change by then, most of the time.
            for _ in 0..<4 { await Task.yield() }
            async let cancelled: Void = cancel(watching)
            try await broadcast.connect()
            await broadcast.disconnect()
            await cancelled
        }
        #expect(broadcast.status == .closed)
    }

    @concurrent
    private func cancel(_ tasks: [Task<Void, Never>]) async {
        for task in tasks { task.cancel() }
    }

    @Test func aWatcherSeesTheStatusAsItIsAndThenItsChanges() async throws {
        let broadcast = try Broadcast("memory://")
        var statuses = broadcast.statuses.makeAsyncIterator()
        #expect(await statuses.next() == .closed)
        try await broadcast.connect()
        guard case .ready? = await statuses.next() else {
            Issue.record("not ready")
            return
        }
        await broadcast.disconnect()
        #expect(await statuses.next() == .closed)
    }
}
