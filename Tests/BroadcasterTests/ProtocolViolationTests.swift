import Broadcaster
import BroadcasterTesting
import Testing

/// Servers that break the protocol, at once or later.
@Suite(.timeLimit(.minutes(2)))
struct ProtocolViolationTests: ScriptedServerTesting {
    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "*4611686018427387904\r\n", "$99999999999\r\n",
        String(repeating: "*1\r\n", count: 100_000), "\0\0\0\0", "+OK\n",
    ])
    func garbageIsAViolationAtOnce(garbage: String) async throws {
        let server = try ScriptedServer { happening, client in
            if case .connected = happening { client.send(garbage) }
        }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast(to: server).connect()
        }
        guard case .protocolViolation? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    /// Answers that are numbers, and no `Int`; or end in the middle of one.
    @Test(arguments: [
        ":99999999999999999999\r\n", ":" + String(repeating: "9", count: 10_000) + "\r\n",
        ":-99999999999999999999\r\n", ":\r\n", ":1\n", ":12345678901x\r\n",
    ])
    func anAnswerThatIsNoNumberIsAViolation(answer: String) async throws {
        let server = try server { client, text in
            if text.contains("PUBLISH") { client.send(answer) }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        await expectUnknownOutcome { _ = try await broadcast.publish("x", to: "c") }
        await broadcast.disconnect()
    }

    /// Garbage, and unrequested answers, after a good beginning: the client connects again.
    @Test(arguments: [
        ":1\r\n", "*4611686018427387904\r\n", ">3\r\n$7\r\nmessage\r\n$-5\r\n", "@",
        ">3\r\n+message\r\n+c\r\n_\r\n", ">2\r\n+message\r\n+c\r\n",
        ">4\r\n+message\r\n+c\r\n+x\r\n+y\r\n", ">3\r\n+message\r\n+c\r\n:5\r\n",
        ">3\r\n+pmessage\r\n+c\r\n+x\r\n", ">4\r\n+subscribe\r\n+c\r\n:1\r\n:1\r\n",
    ])
    func aViolationLaterOnIsAGapAndANewConnection(garbage: String) async throws {
        let server = try server { client, text in
            guard text.contains("SUBSCRIBE") else { return }
            client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n")
            client.send("$1\r\n\(client.number)\r\n")
            if client.number == 0 { client.send(garbage) }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        var seen: [String] = []
        for try await event in try await broadcast.subscribe(to: "c").events {
            switch event {
            case .message(let message): seen.append(message.text)
            case .gap(let gap):
                guard case .reconnected = gap.reason else { continue }
                seen.append("gap")
            }
            if seen.count == 3 { break }
        }
        #expect(seen == ["0", "gap", "1"])
        #expect(broadcast.statistics.reconnects == 1)
        await broadcast.disconnect()
    }
}
