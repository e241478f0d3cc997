import Broadcaster
import BroadcasterTesting
import Synchronization
import Testing

/// Servers that fall silent, or send without answering.
@Suite(.timeLimit(.minutes(2)))
struct LivenessTests: ScriptedServerTesting {
    @Test func aSilentServerIsNoticedByPing() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO\r\n$1") { client.send(hello) }
            if text.hasSuffix("SUBSCRIBE\r\n$1\r\nc\r\n") {
                client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
            }
        }
        let broadcast = try broadcast(to: server, "ping=40ms")
        try await broadcast.connect()
        for try await event in try await broadcast.subscribe(to: "c").events {
            guard case .gap(let gap) = event, case .reconnected(_, let text) = gap.reason else {
                continue
            }
            #expect(text.contains("silent"))
            break
        }
        await broadcast.disconnect()
    }

    /// The server's bytes satisfy the heartbeat; its missing answers decide.
    @Test func aServerThatTalksAndAnswersNothingIsGivenUp() async throws {
        let server = try server { client, text in
            if text.contains("PING") { client.send(">2\r\n+x\r\n+y\r\n") }
        }
        let verdict = Verdict()
        var options = BroadcastOptions.patient
        options.publishTimeout = .milliseconds(200)
        options.pingInterval = .milliseconds(200)
        options.log = { verdict.note($0) }
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        // On a machine so busy that PING has no answer in time, the connection is lost for that.
        while !verdict.isFound {
            _ = try? await broadcast.publish("x", to: "c")
            _ = try? await broadcast.ping()
        }
        await broadcast.disconnect()
    }

    /// The same for channels: no subscriber stays without a gap on a connection that never confirms them.
    @Test func aServerThatNeverConfirmsIsGivenUp() async throws {
        let verdict = Verdict()
        let hasConfirmed = Mutex(false)
        let server = try server { client, text in
            if text.contains("PING") { client.send(">2\r\n+x\r\n+y\r\n") }
            guard text.contains("SUBSCRIBE\r\n$1\r\nc\r\n") else { return }
            let isFirst = hasConfirmed.withLock { flag in
                defer { flag = true }
                return !flag
            }
            guard isFirst || verdict.isFound else { return }
            client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
            if isFirst { client.close() }
        }
        var options = BroadcastOptions.patient
        options.publishTimeout = .seconds(1)
        options.pingInterval = .seconds(5)
        options.log = { verdict.note($0) }
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        var events = try await broadcast.subscribe(to: "c").events.makeAsyncIterator()
        guard case .gap? = try await events.next() else {
            Issue.record("no gap")
            return
        }
        await broadcast.disconnect()
    }

    /// Notes, from a log, that a connection was given up for an answer timeout.
    private final class Verdict: Sendable {
        private let found = Mutex(false)
        var isFound: Bool { found.withLock { $0 } }

        func note(_ entry: BroadcastLogEntry) {
            if entry.message.contains("has not answered for") { found.withLock { $0 = true } }
        }
    }

    @Test func aPingCanBeCancelled() async throws {
        let (asked, continuation) = AsyncStream<ScriptedServer.Client>.makeStream()
        let server = try server { client, text in
            if text.contains("PING") { continuation.yield(client) }
            if text.contains("PUBLISH") { client.send("+PONG\r\n:1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        let ping = Task { try await broadcast.ping() }
        for await _ in asked { break }
        ping.cancel()
        await #expect(throws: BroadcastError.cancelled) { _ = try await ping.value }
        // Its answer comes later, and goes to no other request.
        #expect(try await broadcast.publish("x", to: "c").receivers == 1)
        await broadcast.disconnect()
    }
}
