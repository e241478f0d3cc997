import Broadcaster
import BroadcasterTesting
import Testing

/// `connect()` to servers that hang up, fall silent or are not ready, and its cancellation.
@Suite(.timeLimit(.minutes(2)))
struct ConnectTests: ScriptedServerTesting {
    @Test func aServerThatHangsUpIsALostConnection() async throws {
        let server = try ScriptedServer { happening, client in
            if case .connected = happening { client.close() }
        }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast(to: server).connect()
        }
        guard case .connectionLost? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aServerThatSaysNothingIsGivenUpAtTheDeadline() async throws {
        let server = try ScriptedServer { _, _ in }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast(to: server, "connect_timeout=50ms").connect()
        }
        guard case .timedOut? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aServerThatIsLoadingIsWaitedFor() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received = happening else { return }
            client.send(client.number < 2 ? "-LOADING Redis is loading\r\n" : hello)
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        #expect(server.connections == 3)
        await broadcast.disconnect()
    }

    /// The error holds the reason of the failed attempts, not only the timeout.
    @Test func theReasonOfALateConnectIsTold() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received = happening else { return }
            client.send("-ERR max number of clients reached\r\n")
            client.close()
        }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast(to: server, "connect_timeout=300ms").connect()
        }
        #expect(
            error?.description.contains("max number of clients") == true,
            "\(String(describing: error))")
    }

    @Test func connectingCanBeCancelled() async throws {
        let (connected, continuation) = AsyncStream<Void>.makeStream()
        let server = try ScriptedServer { happening, _ in
            if case .connected = happening { continuation.yield() }
        }
        let broadcast = try broadcast(to: server)
        let task = Task { try await broadcast.connect() }
        for await _ in connected { break }
        task.cancel()
        await #expect(throws: BroadcastError.cancelled) { try await task.value }
    }

    @Test func aCancelledCallOfConnectIsNobodyElsesEnd() async throws {
        let server = try server { client, text in
            if text.contains("PUBLISH") { client.send(":1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        let cancelled = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await broadcast.connect()
        }
        _ = await cancelled.result
        #expect(try await broadcast.publish("x", to: "c").receivers == 1)
        await broadcast.disconnect()
    }

    /// A cancelled `connect()` does not end another call's.
    @Test func connectingBesideACancelledConnect() async throws {
        let server = try server { _, _ in }
        for _ in 0..<200 {
            let broadcast = try broadcast(to: server)
            let other = Task { try await broadcast.connect() }
            let cancelled = Task { try? await broadcast.connect() }
            cancelled.cancel()
            try await other.value
            await cancelled.value
            guard case .ready = broadcast.status else {
                Issue.record("\(broadcast.status)")
                return
            }
            await broadcast.disconnect()
        }
    }
}
