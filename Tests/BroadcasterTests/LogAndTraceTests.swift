import Broadcaster
import BroadcasterPostgres
import BroadcasterTesting
import Synchronization
import Testing

/// Lines of the log and the trace: no password, no flood.
@Suite(.timeLimit(.minutes(2)))
struct LogAndTraceTests: ScriptedServerTesting {
    /// The answers of servers that do not know HELLO; the first is that of Redis 5.
    @Test(arguments: [
        "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `hunter2`, \r\n",
        "-ERR no such thing as HELLO 3 AUTH default hunter2\r\n",
    ])
    func aServerThatRepeatsThePasswordDoesNotSpreadIt(answer: String) async throws {
        let server = try ScriptedServer { happening, client in
            if case .received = happening { client.send(answer) }
        }
        let lines = Mutex<[String]>([])
        var options = BroadcastOptions.patient
        options.trace = { line in lines.withLock { $0.append(line) } }
        let broadcast = try Broadcast("redis://:hunter2@127.0.0.1:\(server.port)", options: options)
        let error = await #expect(throws: BroadcastError.self) { try await broadcast.connect() }
        #expect(!"\(String(describing: error))".contains("hunter2"))
        #expect(!lines.withLock { $0 }.joined().contains("hunter2"))
    }

    @Test func theTraceMasksThePassword() async throws {
        let lines = Mutex<[String]>([])
        var options = BroadcastOptions.patient
        options.trace = { line in lines.withLock { $0.append(line) } }
        options.log = { entry in lines.withLock { $0.append("\(entry)") } }
        let server = try server { client, _ in client.send(":0\r\n") }
        let url = "redis://someone:hunter2@127.0.0.1:\(server.port)"
        let broadcast = try Broadcast(url, options: options)
        try await broadcast.connect()
        await broadcast.disconnect()
        let all = lines.withLock { $0 }.joined(separator: "\n")
        #expect(all.contains(#"$7\r\nsomeone\r\n$7\r\n*******\r\n"#))
        #expect(!all.contains("hunter2"))
    }

    /// A server's warnings reach the log, but a flood of them does not.
    @Test func warningsAreLoggedAndDoNotFloodTheLog() async throws {
        func bytes(_ messages: [ServerMessage]) -> [UInt8] {
            messages.reduce(into: []) { $1.append(to: &$0) }
        }
        let ready = ServerMessage.readyForQuery(.idle)
        let greeting = bytes([
            .authentication(.ok), .backendKeyData(process: 42, key: [1, 2, 3, 4]), ready,
        ])
        let prepared = bytes([
            .parseComplete, .parseComplete, ready, .parseComplete, .bindComplete,
            .dataRow([Array("42".utf8)]), .commandComplete("SELECT 1"), ready,
        ])
        let warning = ServerMessage.noticeResponse(
            ServerError(severity: "WARNING", code: "01000", message: "NOTIFY queue is 50% full"))
        let flood = bytes(Array(repeating: warning, count: 1000) + [.emptyQuery, ready])
        let isGreeted = Mutex(false)
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            // The empty query that `ping` is.
            if bytes.starts(with: "Q".utf8) { return client.send(flood) }
            client.send(isGreeted.withLock { $0 } ? prepared : greeting)
            isGreeted.withLock { $0 = true }
        }
        let lines = Mutex<[BroadcastLogEntry]>([])
        var options = BroadcastOptions.patient
        options.log = { entry in lines.withLock { $0.append(entry) } }
        let broadcast = try Broadcast(
            "postgres://someone@127.0.0.1:\(server.port)/d?sslmode=disable", options: options)
        try await broadcast.connect()
        _ = try await broadcast.ping()
        await broadcast.disconnect()
        let warnings = lines.withLock { $0.filter { $0.level == .warning } }
        #expect(
            warnings.first?.message
                == "the server warns: NOTIFY queue is 50% full (SQLSTATE 01000)")
        // One a second, however busy the machine is.
        #expect(warnings.count < 100)
    }
}

extension LogAndTraceTests {
    /// An outage of a minute with an attempt every second.
    @Test func anOutageIsAFewLines() async throws {
        let lines = Mutex<[BroadcastLogEntry]>([])
        var options = BroadcastOptions()
        options.log = { entry in lines.withLock { $0.append(entry) } }
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection, options: options)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "a", "b")
        connection.lose("cable")
        connection.clock.advance(by: .seconds(59))
        #expect(connection.attempts > 50)
        connection.restore()
        await broadcast.disconnect()
        subscription.cancel()
        let told = lines.withLock { $0 }
        #expect(
            told.map(\.message) == [
                "connected to memory: memory none, in process", "cable; next try in 25 ms",
                "the connection is lost; next try in 50 ms",
                "the connection is lost; next try in 100 ms",
                "connected to memory: memory none, in process",
                "2 channels are subscribed again, 59 s after the connection was lost",
                "disconnected",
            ])
        #expect(told.map(\.level.rawValue).filter { $0 == "warning" }.count == 3)
        #expect(told.contains { $0.level == .notice })
    }
}
