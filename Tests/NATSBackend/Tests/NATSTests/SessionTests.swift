import BroadcasterBackendKit
import BroadcasterTesting
import Foundation
import NATS
import Testing

/// The session as a value: recorded conversations, and servers that do not exist.
struct SessionTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Fixtures")

    private static let transcripts = ["login", "login-refused", "messages", "refused"].map { name in
        let file = folder.appending(path: "\(name).transcript")
        return Transcript(name: name, text: (try? String(contentsOf: file, encoding: .utf8)) ?? "")
    }

    private static func session(
        _ url: String = "nats://127.0.0.1", size: Int = 1 << 20
    ) throws -> any Session {
        let options = CommonOptions(
            connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
            maximumMessageSize: size)
        let backend = try NATSBackend(ServerURL(url), options: options, environment: .empty)
        return backend.makeSession()
    }

    @Test(arguments: transcripts, Feed.allCases)
    func replays(transcript: Transcript, feed: Feed) throws {
        var player = TranscriptPlayer(try Self.session(transcript.url))
        #expect(player.differences(from: transcript, feed: feed) == [])
    }

    @Test(arguments: transcripts)
    func isWhole(transcript: Transcript) {
        #expect(!transcript.received.isEmpty)
    }

    @Test(arguments: transcripts, 0..<200)
    func survivesDamage(transcript: Transcript, round: Int) throws {
        var random = SystemRandomNumberGenerator()
        var player = TranscriptPlayer(try Self.session(transcript.url))
        _ = player.playDamaged(transcript, using: &random)
    }

    /// What the server says after the handshake, and what the session makes of it.
    @Test(arguments: [
        ("+OK\r\n", "x NATS answer: expected none, nothing was asked, found +OK"),
        ("PONG\r\n", "x NATS answer: expected none, nothing was asked, found PONG"),
        ("-ERR 'Slow Consumer'\r\n", "! rejected temporary Slow Consumer"),
        (
            "MSG chat 1\r\n",
            "x NATS MSG: expected subject, sid, perhaps a subject to reply to, size,"
        ),
        (
            "MSG chat 1 -5\r\n",
            "x NATS MSG: expected subject, sid, perhaps a subject to reply to, size,"
        ),
        ("MSG chat 1 99999999999\r\n", "x NATS MSG: expected subject, sid, perhaps"),
        ("MSG chat 1 2\r\nabc\r\n", "x NATS MSG: expected CRLF after 2 bytes, found 'c'"),
        ("HELLO\r\n", "x NATS line: expected INFO, MSG, +OK, -ERR, PING or PONG, found \"HELLO\""),
        ("INFO {}\r\n", "x NATS INFO: expected JSON with a version, found 2 bytes"),
        ("\r\n", "x NATS line: expected INFO"),
        ("PING\r\n", ""),
    ])
    func aServerThatBreaksTheProtocolIsLeft(words: String, told: String) throws {
        let text = """
            # A server that does not exist.
            # nats://127.0.0.1
            S: INFO {"version":"2.9.10"}\\r\\n
            S: +OK\\r\\nPONG\\r\\n
            S: \(words.replacing("\r\n", with: "\\r\\n"))
            """
        var player = TranscriptPlayer(try Self.session())
        let lines = player.told(in: Transcript(name: "hostile", text: text))
        #expect(lines.first == "! ready NATS")
        #expect((lines.dropFirst().first ?? "").hasPrefix(told), "\(lines)")
        #expect(lines.count == (told.isEmpty ? 1 : 2))
    }

    @Test func aLineWithoutAnEndIsNoUnboundedMemory() throws {
        let text = "# x\n# nats://h\nS: \(String(repeating: "x", count: 70_000))"
        var player = TranscriptPlayer(try Self.session())
        let lines = player.told(in: Transcript(name: "long", text: text))
        #expect(
            lines == ["x NATS line: expected an end within 65536 bytes, found none at offset 0"])
    }
}
