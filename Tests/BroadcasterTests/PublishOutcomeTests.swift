import Broadcaster
import BroadcasterTesting
import Synchronization
import Testing

/// The outcome of a publish whose answer is late, lost or a refusal.
@Suite(.timeLimit(.minutes(2)))
struct PublishOutcomeTests: ScriptedServerTesting {
    /// The server's answer to a cancelled publish must not go to the next one.
    @Test func theAnswerToACancelledPublishIsNobodysElse() async throws {
        let (asked, continuation) = AsyncStream<ScriptedServer.Client>.makeStream()
        let server = try server { client, text in
            if text.contains("first") { continuation.yield(client) }
            if text.contains("second") { client.send(":1\r\n:2\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        let first = Task { try await broadcast.publish("first", to: "c") }
        for await _ in asked { break }
        first.cancel()
        await expectUnknownOutcome { _ = try await first.value }
        #expect(try await broadcast.publish("second", to: "c").receivers == 2)
        await broadcast.disconnect()
    }

    /// A refusal the second time does not decide the outcome of the first.
    @Test func atLeastOnceThatIsRefusedLaterIsUnknown() async throws {
        let server = try server { client, text in
            guard text.contains("PUBLISH") else { return }
            client.number == 0 ? client.close() : client.send("-NOPERM no\r\n")
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        await expectUnknownOutcome {
            _ = try await broadcast.publish("x", to: "c", retry: .atLeastOnce)
        }
        await broadcast.disconnect()
    }

    /// The outcome of a message not sent to a replica is known.
    @Test func aReplicaIsSentNothingOfALargeBatch() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            if String(decoding: bytes, as: UTF8.self).contains("HELLO") {
                client.send("%3\r\n+version\r\n+7.0.15\r\n+proto\r\n:3\r\n+role\r\n+replica\r\n")
            }
        }
        let broadcast = try broadcast(to: server, "publish_timeout=1s")
        try await broadcast.connect()
        let texts = Array(repeating: String(repeating: "x", count: 100), count: 2000)
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish(contentsOf: texts, to: "c")
        }
        guard case .incomplete(let outcomes)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        for outcome in outcomes {
            if case .failure(.outcomeUnknown(let reason)) = outcome { Issue.record("\(reason)") }
        }
        await broadcast.disconnect()
    }

    @Test func aConnectionLostBeforeTheAnswerLeavesTheOutcomeUnknown() async throws {
        let server = try server { client, text in
            if text.contains("PUBLISH") { client.close() }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        await expectUnknownOutcome { _ = try await broadcast.publish("x", to: "c") }
        await broadcast.disconnect()
    }

    @Test func aServerThatDoesNotAnswerAPublishIsNotWaitedForForEver() async throws {
        let server = try server { _, _ in }
        let broadcast = try broadcast(to: server, "publish_timeout=1s")
        try await broadcast.connect()
        await expectUnknownOutcome { _ = try await broadcast.publish("x", to: "c") }
        await broadcast.disconnect()
    }

    @Test func aPublishHeldUpByALostConnectionGoesOutOnTheNext() async throws {
        let server = try server { client, text in
            if text.contains("cut") { return client.close() }
            if text.contains("PUBLISH") { client.send(":1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        _ = try? await broadcast.publish("cut", to: "c")
        #expect(try await broadcast.publish("later", to: "c").receivers == 1)
        await broadcast.disconnect()
    }

    /// SIGPIPE would end this process.
    @Test func writingToAClosedConnectionIsSurvived() async throws {
        let server = try server { client, _ in client.close() }
        let broadcast = try broadcast(to: server, "publish_timeout=1s")
        try await broadcast.connect()
        for _ in 0..<20 { _ = try? await broadcast.publish("x", to: "c") }
        await broadcast.disconnect()
    }

    /// The bytes that the connection holds stay within its limit, however much is published at once.
    @Test func noMoreIsTakenThanMayWaitForTheKernel() async throws {
        let payload = String(repeating: "x", count: 100)
        let command = "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$100\r\n\(payload)\r\n"
        let size = command.utf8.count
        let received = Mutex(0)
        let server = try server { client, text in
            let answers = received.withLock { received in
                defer { received += text.utf8.count }
                return (received + text.utf8.count) / size - received / size
            }
            client.send(String(repeating: ":1\r\n", count: answers))
        }
        let longest = Mutex(0)
        var options = BroadcastOptions.patient
        options.unsentBytes = 1000
        options.trace = { line in
            guard line.hasPrefix("C: ") else { return }
            longest.withLock { $0 = max($0, line.utf8.count) }
        }
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let results = try await broadcast.publish(
            contentsOf: repeatElement(payload, count: 1000), to: "c")
        #expect(results.count == 1000)
        // Ten messages, with RESP's additions to each, escaped.
        #expect(longest.withLock { $0 } <= 2000)
        await broadcast.disconnect()
    }
}
