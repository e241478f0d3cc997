import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterRabbitMQ

struct RabbitMQPatternTests {
    @Test(arguments: [
        ("news.*", "news.#"), ("*", "#"), ("*.swift", "#.swift"), ("news.*.eu", "news.#.eu"),
        ("a*b.c", "#.c"), ("a?c.d", "#.d"), ("[ab].x", "#.x"), ("a.[.]b.c", "a.#.c"),
        ("*.*.*", "#"), ("plain.name", "plain.name"), ("a.\\*", "a.*"), ("a.\\#.b", "a.#.b"),
        ("x\\", "x\\"), ("[a-].b", "#"), ("a..b", "a..b"), ("*.", "#."),
    ])
    func theKeyLetsThroughWhatMayMatch(pattern: String, key: String) {
        #expect(String(decoding: TopicPattern(pattern).key, as: UTF8.self) == key)
    }

    /// The rule of a topic exchange (`rabbit_exchange_type_topic`): `*` is a word, `#` any number of them.
    private func matches(_ key: [ArraySlice<UInt8>], _ name: [ArraySlice<UInt8>]) -> Bool {
        guard let word = key.first else { return name.isEmpty }
        let rest = Array(key.dropFirst())
        if word.elementsEqual("#".utf8) {
            return (0...name.count).contains { matches(rest, Array(name.dropFirst($0))) }
        }
        guard let first = name.first else { return false }
        return (word.elementsEqual("*".utf8) || word.elementsEqual(first))
            && matches(rest, Array(name.dropFirst()))
    }

    private func words(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
        text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    }

    @Test func nothingThatMatchesIsHeldBackByTheServer() {
        var random = SeededRandom()
        var found = 0
        for _ in 0..<20_000 {
            let signs = Array("ab.*?[]^-\\#".utf8)
            let pattern = (0..<Int.random(in: 1...7, using: &random)).map { _ in
                signs.randomElement(using: &random) ?? 0
            }
            let name = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                Array("ab.*]-".utf8).randomElement(using: &random) ?? 0
            }
            let text = String(decoding: pattern, as: UTF8.self)
            let topic = TopicPattern(text)
            guard topic.matches(name) else { continue }
            found += 1
            #expect(
                matches(words(topic.key), words(name)),
                "seed \(random.seed): \(text) and \(String(decoding: name, as: UTF8.self))")
        }
        #expect(found > 100)
    }

    @Test(arguments: [
        ("news.*", nil), ("news.#", "# is no wildcard"), ("#", "# is no wildcard"),
        ("a.\\#", nil), ("c#", nil), ("", "the pattern is empty"),
        (String(repeating: "x", count: 256), "at most 255 bytes"),
    ])
    func patternsAreRefusedWithAReason(pattern: String, says: String?) throws {
        let refusal = try rabbitBackend("amqp://h").refusal(of: .pattern(pattern))
        #expect((refusal == nil) == (says == nil), "\(refusal ?? "none")")
        if let says { #expect(refusal?.contains(says) == true) }
    }

    @Test func namesOfChannelsAreRoutingKeys() throws {
        let own = try rabbitBackend("amqp://h"),
            shared = try rabbitBackend("amqp://h?exchange=amq.topic")
        for name in ["*", "#", "a.*", "plain", "a*"] {
            #expect(own.refusal(of: .channel(name)) == nil)
        }
        for name in ["*", "#", "a.*", "#.b"] {
            #expect(shared.refusal(of: .channel(name))?.contains("wildcard") == true)
            #expect(shared.refusal(ofPublishing: .text("x"), to: name) != nil)
        }
        #expect(shared.refusal(of: .channel("a*")) == nil)
        #expect(own.refusal(of: .channel("")) != nil)
        #expect(own.refusal(of: .channel(String(repeating: "é", count: 128))) != nil)
        #expect(own.refusal(of: .channel(String(repeating: "x", count: 255))) == nil)
        #expect(own.refusal(of: .binaryChannel([255, 254])) == nil)
        #expect(
            own.refusal(ofPublishing: .bytes(Array(repeating: 0, count: 1 << 17)), to: "c") != nil)
    }
}
