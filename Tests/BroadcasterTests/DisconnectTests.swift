import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

/// `disconnect()` at any moment.
@Suite(.timeLimit(.minutes(2)))
struct DisconnectTests: ScriptedServerTesting {
    /// A new connection while the old one still disconnects is independent of it.
    @Test func connectingAgainWhileDisconnecting() async throws {
        let (asked, continuation) = AsyncStream<Void>.makeStream()
        let server = try server { client, text in
            if text.contains("slow") { continuation.yield() }
            if text.contains("SUBSCRIBE") { client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n") }
        }
        var options = BroadcastOptions.patient
        options.shutdownTimeout = .milliseconds(200)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let publishing = Task { try? await broadcast.publish("slow", to: "c") }
        for await _ in asked { break }
        let disconnecting = Task { await broadcast.disconnect() }
        while server.connections < 2 {
            try await broadcast.connect()
            await lookAgain()
        }
        let subscription = try await broadcast.subscribe(to: "c")
        await disconnecting.value
        _ = await publishing.value
        #expect(broadcast.statistics.subscribers == 1)
        guard case .ready = broadcast.status else {
            Issue.record("\(broadcast.status)")
            return
        }
        subscription.cancel()
        await broadcast.disconnect()
    }

    /// The second call waits for the first, and cuts nothing short.
    @Test func disconnectingTwiceAtOnceIsOneGoodbye() async throws {
        let (asked, continuation) = AsyncStream<ScriptedServer.Client>.makeStream()
        let (left, leaving) = AsyncStream<Void>.makeStream()
        let server = try server { client, text in
            if text.contains("PUBLISH") { continuation.yield(client) }
            if text.contains("QUIT") {
                leaving.yield()
                client.close()
            }
        }
        var options = BroadcastOptions.patient
        options.shutdownTimeout = .seconds(100)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let publishing = Task { try await broadcast.publish("x", to: "c") }
        var clients = asked.makeAsyncIterator()
        let client = await clients.next()
        let status = broadcast.statuses
        let first = Task { await broadcast.disconnect() }
        let second = Task { await broadcast.disconnect() }
        // Both are on their way when new messages are refused.
        while (try? await broadcast.subscribe(to: "c")) != nil { await lookAgain() }
        for _ in 0..<1000 { await Task.yield() }
        client?.send(":3\r\n")
        #expect(try await publishing.value.receivers == 3)
        for await _ in left { break }
        await first.value
        await second.value
        for await last in status where last == .closed { break }
    }

    @Test func disconnectingWhileConnectingEnds() async throws {
        let server = try ScriptedServer { _, _ in }
        let broadcast = try broadcast(to: server)
        let task = Task { try await broadcast.connect() }
        while server.connections == 0 { await lookAgain() }
        await broadcast.disconnect()
        await #expect(throws: BroadcastError.self) { try await task.value }
    }

    @Test func theStatusEndsWithItsBroadcast() async throws {
        let status: AsyncStream<BroadcastStatus>
        do {
            let broadcast = try Broadcast("memory://")
            status = broadcast.statuses
            try await broadcast.connect()
        }
        for await _ in status {}
    }
}
