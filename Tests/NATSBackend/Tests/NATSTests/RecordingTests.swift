import Broadcaster
import Foundation
import NATS
import Synchronization
import Testing

/// Writes the transcripts anew, from a real server: `NATS_RECORD=1 swift test --filter Recording`.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["NATS_RECORD"] != nil,
        "records transcripts only where $NATS_RECORD is set"), .serialized)
struct RecordingTests {
    /// Records what `body` does.
    private func record(
        _ name: String, _ title: String, login: String = "", server: NATSServer,
        _ body: (Broadcast) async throws -> Void
    ) async throws {
        let lines = Mutex<[String]>([])
        var options = BroadcastOptions()
        options.trace = { line in lines.withLock { $0.append(line) } }
        let broadcast = try Broadcast(
            "nats://\(login)127.0.0.1:\(server.port)", backends: [NATSBackend.self],
            options: options)
        try? await body(broadcast)
        await broadcast.disconnect()
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Fixtures/\(name).transcript")
        // The trace masks the password; what is recorded has one that may be shown.
        let text = lines.withLock { $0 }.joined(separator: "\n")
            .replacing("******", with: "secret")
        let version = text.firstMatch(of: #/"version":"([^"]+)"/#)?.1 ?? "?"
        try "# \(title). nats-server \(version).\n# nats://\(login)127.0.0.1\n\(text)\n"
            .write(to: file, atomically: true, encoding: .utf8)
    }

    @Test func login() async throws {
        let server = try await NATSServer(password: "secret")
        try await record("login", "A login", login: "tester:secret@", server: server) {
            try await $0.connect()
            _ = try await $0.ping()
        }
        let other = try await NATSServer(password: "another")
        try await record(
            "login-refused", "A login that is refused", login: "tester:secret@", server: other
        ) { try await $0.connect() }
    }

    @Test func messages() async throws {
        let server = try await NATSServer()
        try await record("messages", "Channels, a pattern, and messages", server: server) {
            try await $0.connect()
            let one = try await $0.subscribe(to: "chat", "news.art")
            let all = try await $0.subscribe(toPatterns: "news.>")
            try await $0.publish("hello", to: "chat")
            try await $0.publish([0, 255, 13, 10], to: "news.art")
            try await $0.publish("", to: "news.sport")
            var iterator = all.makeAsyncIterator()
            while let message = try await iterator.next(), message.channel != "news.sport" {}
            one.cancel()
            all.cancel()
            _ = try await $0.ping()
        }
    }

    @Test func refused() async throws {
        let rights = #"{ publish: { deny: "no.>" }, subscribe: { deny: "no.>" } }"#
        let server = try await NATSServer(
            settings:
                "max_payload: 100, authorization { users = [ { user: tester, password: secret,"
                + " permissions: \(rights) } ] }")
        try await record(
            "refused", "What the server does not allow", login: "tester:secret@", server: server
        ) {
            try await $0.connect()
            _ = try? await $0.publish("x", to: "no.chat")
            _ = try? await $0.subscribe(to: "no.chat")
            _ = try? await $0.publish(String(repeating: "x", count: 101), to: "chat")
            try await $0.publish("x", to: "chat")
        }
    }
}
