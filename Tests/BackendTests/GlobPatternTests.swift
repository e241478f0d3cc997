import BroadcasterMemory
import BroadcasterWire
import Testing

struct GlobPatternTests {
    /// The decisions of `stringmatchlen` of Redis 7.0; checked against `redis-cli PSUBSCRIBE`.
    @Test(arguments: [
        ("*", "", true), ("*", "anything", true), ("a*", "a", true), ("a*c", "abbbc", true),
        ("a*c", "abbb", false), ("h?llo", "hello", true), ("h?llo", "hllo", false),
        ("h[ae]llo", "hallo", true), ("h[ae]llo", "hillo", false), ("h[^e]llo", "hallo", true),
        ("h[^e]llo", "hello", false), ("h[a-c]llo", "hbllo", true), ("h[c-a]llo", "hbllo", true),
        ("h[a-c]llo", "hdllo", false), ("h\\[llo", "h[llo", true), ("h\\*llo", "hxllo", false),
        ("h\\*llo", "h*llo", true), ("[]", "a", false), ("[a", "a", true), ("a\\", "a\\", true),
        ("news.*", "news.", true), ("news.*", "new", false), ("**", "x", true),
        ("*a*b", "xaxb", true), ("*a*b", "xaxbx", false), ("?", "é", false), ("??", "é", true),
        ("", "", true), ("", "a", false), ("[a\\]b]", "]", true), ("h[^a-c]", "hd", true),
    ])
    func matchesAsRedisDoes(pattern: String, text: String, expected: Bool) throws {
        let url = try ServerURL("memory://")
        let options = CommonOptions(
            connectTimeout: .seconds(1), publishTimeout: .seconds(1), pingInterval: .seconds(1),
            maximumMessageSize: 1000)
        var session = try MemoryBackend(url, options: options, environment: .empty).makeSession()
        var output = SessionOutput()
        session.perform(
            .subscribe([Topic(id: 0, name: .pattern(pattern))]), at: .now, into: &output)
        _ = output.takeEvents()
        session.perform(
            .publish([Publication(ticket: 0, channel: text, payload: .text("x"))]), at: .now,
            into: &output)
        var receivers: Int?
        for case .published(let acceptance) in output.takeEvents() {
            receivers = acceptance[0].receivers
        }
        #expect(receivers == (expected ? 1 : 0))
    }

    @Test func aHostilePatternDoesNotTakeExponentialTime() throws {
        let pattern = String(repeating: "*a", count: 200) + "*b"
        let text = String(repeating: "a", count: 5000)
        try matchesAsRedisDoes(pattern: pattern, text: text, expected: false)
    }
}
