import Broadcaster
import BroadcasterTesting
import Testing

/// Confirmations of a subscription that are refused, late or missing.
@Suite(.timeLimit(.minutes(2)))
struct SubscribeConfirmationTests: ScriptedServerTesting {
    @Test func aBusyServerIsAskedAgain() async throws {
        let server = try server { client, text in
            guard text.contains("SUBSCRIBE") else { return }
            client.send(
                client.number == 0
                    ? "-BUSY Redis is busy running a script\r\n"
                    : ">3\r\n+subscribe\r\n+c\r\n:1\r\n")
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        _ = try await broadcast.subscribe(to: "c")
        #expect(server.connections == 2)
        await broadcast.disconnect()
    }

    @Test func anUnconfirmedSubscriptionTimesOutAndLeavesNothing() async throws {
        let server = try server { _, _ in }
        var options = BroadcastOptions.patient
        options.subscribeTimeout = .milliseconds(50)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: "c")
        }
        guard case .timedOut? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(broadcast.statistics.subscribers == 0)
        await broadcast.disconnect()
    }

    /// The client takes the late confirmation, and then unsubscribes.
    @Test func aCancelledSubscriptionIsLeftAgainWhenItsConfirmationComes() async throws {
        let (asked, continuation) = AsyncStream<(ScriptedServer.Client, String)>.makeStream()
        let server = try server { client, text in continuation.yield((client, text)) }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        let task = Task { try await broadcast.subscribe(to: "c") }
        var requests = asked.makeAsyncIterator()
        let client = await requests.next()?.0
        task.cancel()
        await #expect(throws: BroadcastError.cancelled) { _ = try await task.value }
        client?.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
        let request = await requests.next()?.1
        #expect(request?.contains("UNSUBSCRIBE") == true)
        await broadcast.disconnect()
    }
}
