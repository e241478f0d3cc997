import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

/// One outage is one error with its reason, whatever was called.
@Suite(.timeLimit(.minutes(2)))
struct BroadcastOutageTests: ScriptedServerTesting {
    private static let calls: [(String, @Sendable (Broadcast) async throws -> Void)] = [
        ("publish", { try await $0.publish("x", to: "c") }),
        ("subscribe", { _ = try await $0.subscribe(to: "c") }),
        ("ping", { _ = try await $0.ping() }),
    ]

    @Test(arguments: calls.map(\.0))
    func withoutAConnectionEachCallSaysWhy(name: String) async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        connection.lose("cable")
        guard let call = Self.calls.first(where: { $0.0 == name })?.1 else { return }
        let waiting = Task { try await call(broadcast) }
        if name != "ping" {
            await connection.clock.sleepers(1)
            connection.clock.advance(by: .seconds(5))
        }
        let error = await #expect(throws: BroadcastError.self) { try await waiting.value }
        guard case .disconnected(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("no connection: "))
        await broadcast.disconnect()
        let after = await #expect(throws: BroadcastError.self) { try await call(broadcast) }
        #expect(after == .notConnected)
    }

    /// As old proxies do with a command that they do not know.
    @Test func aServerThatClosesOnEachSubscribeIsQuoted() async throws {
        let server = try server { client, text in
            if text.contains("SUBSCRIBE") { client.close() }
        }
        var options = BroadcastOptions.patient
        options.subscribeTimeout = .milliseconds(500)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: "c")
        }
        guard case .disconnected(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("the server closed the connection"))
        await broadcast.disconnect()
    }

    /// HELLO is no word of such a server either, and it has no other answer than to close.
    @Test func aServerThatClosesOnHelloIsSpokenToInRESP2() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO") { client.close() }
            if text.contains("INFO") { client.send("$0\r\n\r\n") }
            if text.contains("PUBLISH") { client.send(":0\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        #expect(try await broadcast.publish("x", to: "c").receivers == 0)
        guard case .ready(let info) = broadcast.status else {
            Issue.record("\(broadcast.status)")
            return
        }
        #expect(info.protocol == "RESP2")
        await broadcast.disconnect()
    }

    /// A server without CLIENT, say.
    @Test func aNameThatIsRefusedIsLogged() async throws {
        let (lines, continuation) = AsyncStream<BroadcastLogEntry>.makeStream()
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("SETNAME") { return client.send("-ERR unknown command\r\n") }
            if text.contains("HELLO") { client.send(hello) }
        }
        var options = BroadcastOptions.patient
        options.log = { continuation.yield($0) }
        let broadcast = try Broadcast(
            "redis://127.0.0.1:\(server.port)?client_name=web", options: options)
        try await broadcast.connect()
        for await line in lines where line.level == .warning {
            #expect(line.message.hasSuffix("client_name is not set: ERR unknown command"))
            break
        }
        await broadcast.disconnect()
    }

    /// The server may be back long before the next attempt, where the waits are long.
    @Test(arguments: ["publish", "subscribe"])
    func aCallThatWaitsBringsTheNextAttemptForward(name: String) async throws {
        let connection = MemoryConnection()
        var options = BroadcastOptions()
        options.longestRetryDelay = .seconds(600)
        let broadcast = Broadcast(connection, options: options)
        try await broadcast.connect()
        connection.lose("cable")
        // From then on an attempt every five minutes, since chance is the middle; none is near.
        for _ in 0..<40 { connection.clock.advance(by: .seconds(60)) }
        let before = connection.attempts
        connection.clock.advance(by: .seconds(5))
        #expect(connection.attempts == before)
        guard let call = Self.calls.first(where: { $0.0 == name })?.1 else { return }
        let waiting = Task { try await call(broadcast) }
        await connection.clock.sleepers(1)
        for _ in 0..<40 where connection.attempts == before {
            connection.clock.advance(by: .milliseconds(100))
            await lookAgain()
        }
        #expect(connection.attempts == before + 1)
        waiting.cancel()
        _ = await waiting.result
        await broadcast.disconnect()
    }

    @Test(arguments: [("", Duration.seconds(2)), ("max_retry_delay=30ms", .milliseconds(30))])
    func theLongestWaitIsAnOption(query: String, longest: Duration) async throws {
        #expect(BroadcastOptions().longestRetryDelay < BroadcastOptions().publishTimeout)
        let server = try ScriptedServer { happening, client in
            guard case .received = happening else { return }
            if client.number == 0 { client.send(hello) } else { client.send("-ERR no\r\n") }
            client.close()
        }
        var options = BroadcastOptions()
        options.connectTimeout = .seconds(50)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)?\(query)", options: options)
        try await broadcast.connect()
        var attempts = 0
        for await status in broadcast.statuses {
            guard case .down(_, let delay) = status else { continue }
            #expect(delay <= longest)
            attempts += 1
            if attempts == 8 { break }
        }
        await broadcast.disconnect()
    }
}
