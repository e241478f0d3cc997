import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

/// `run()`, the life of a service: being cancelled is its usual end.
@Suite(.timeLimit(.minutes(2)))
struct RunTests: ScriptedServerTesting {
    private func waitFor(
        _ broadcast: Broadcast, _ isWanted: (BroadcastStatus) -> Bool
    ) async {
        for await status in broadcast.statuses where isWanted(status) { return }
    }

    private func isReady(_ status: BroadcastStatus) -> Bool {
        if case .ready = status { true } else { false }
    }

    @Test func cancelledWhileConnectedItReturns() async throws {
        let broadcast = try Broadcast("memory://")
        let running = Task { try await broadcast.run() }
        try await broadcast.ready()
        let subscription = try await broadcast.subscribe(to: "c")
        let reading = Task { for try await _ in subscription {} }
        running.cancel()
        try await running.value
        // Its streams are open no more.
        try await reading.value
        #expect(broadcast.status == .closed)
    }

    @Test func cancelledWhileConnectingItReturns() async throws {
        let (connected, continuation) = AsyncStream<Void>.makeStream()
        let server = try ScriptedServer { happening, _ in
            if case .connected = happening { continuation.yield() }
        }
        let broadcast = try broadcast(to: server)
        let running = Task { try await broadcast.run() }
        for await _ in connected { break }
        running.cancel()
        try await running.value
        #expect(broadcast.status == .closed)
    }

    @Test func cancelledWhileItWaitsForAServerItReturns() async throws {
        let connection = MemoryConnection()
        connection.lose()
        var options = BroadcastOptions()
        options.waitsForServer = true
        let broadcast = Broadcast(connection, options: options)
        let running = Task { try await broadcast.run() }
        await waitFor(broadcast) { if case .down = $0 { true } else { false } }
        running.cancel()
        try await running.value
        #expect(broadcast.status == .closed)
    }

    @Test func cancelledDuringAnOutageItReturns() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        let running = Task { try await broadcast.run() }
        try await broadcast.ready()
        let subscription = try await broadcast.subscribe(to: "c")
        connection.lose()
        running.cancel()
        try await running.value
        for try await _ in subscription {}
    }

    @Test func inACancelledTaskItReturnsAtOnce() async throws {
        let server = try ScriptedServer { _, _ in }
        let broadcast = try broadcast(to: server)
        let running = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await broadcast.run()
        }
        try await running.value
        #expect(server.connections == 0)
    }

    @Test func disconnectingEndsIt() async throws {
        let broadcast = try Broadcast("memory://")
        let running = Task { try await broadcast.run() }
        try await broadcast.ready()
        await broadcast.disconnect()
        try await running.value
        // Also while it still connects.
        let server = try ScriptedServer { _, _ in }
        let connecting = try self.broadcast(to: server)
        let second = Task { try await connecting.run() }
        while server.connections == 0 { await lookAgain() }
        await connecting.disconnect()
        try await second.value
    }

    @Test func whatWillNotHealIsThrown() async throws {
        let server = try ScriptedServer { happening, client in
            if case .received = happening { client.send("-WRONGPASS no\r\n") }
        }
        let broadcast = try broadcast(to: server)
        let error = await #expect(throws: BroadcastError.self) { try await broadcast.run() }
        guard case .authenticationFailed? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func theLastOfSeveralDisconnects() async throws {
        let broadcast = try Broadcast("memory://")
        let first = Task { try await broadcast.run() }
        try await broadcast.ready()
        let second = Task { try await broadcast.run() }
        // Whichever phase the second is in: it is not the last.
        for _ in 0..<100 { await Task.yield() }
        second.cancel()
        try await second.value
        #expect(broadcast.isReady)
        try await broadcast.publish("x", to: "c")
        first.cancel()
        try await first.value
        #expect(!broadcast.isReady)
    }

    @Test func itMayRunAgain() async throws {
        let broadcast = try Broadcast("memory://")
        for _ in 0..<3 {
            let running = Task { try await broadcast.run() }
            try await broadcast.ready()
            running.cancel()
            try await running.value
        }
    }
}
