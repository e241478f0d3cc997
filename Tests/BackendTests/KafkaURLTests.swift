import BroadcasterWire
import Testing

@testable import BroadcasterKafka

struct KafkaURLTests {
    private func backend(_ text: String) throws -> KafkaBackend {
        let options = CommonOptions(
            connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
            maximumMessageSize: 1000)
        return try KafkaBackend(try ServerURL(text), options: options)
    }

    @Test func meansWhatItSays() throws {
        let plain = try KafkaURL(try ServerURL("kafka://one,two:9093,[::1]"))
        #expect(plain.endpoints.map(\.description) == ["one:9092", "two:9093", "[::1]:9092"])
        #expect(plain.partition == .fixed(0) && plain.acks == -1 && plain.isIdempotent)
        #expect(plain.clientID == "broadcaster" && plain.createsTopics)
        let full = try KafkaURL(
            try ServerURL(
                "kafka://u:p@h/?sasl_mechanism=SCRAM-SHA-512&client_id=me&partition=spread"
                    + "&isolation_level=read_committed&acks=1&allow_auto_create_topics=false"
                    + "&fetch_max_wait=500ms"))
        #expect(full.user == "u" && full.password == "p" && full.mechanism == .scramSHA512)
        #expect(full.partition == .spread && full.isolation == .readCommitted)
        #expect(full.acks == 1 && !full.isIdempotent && !full.createsTopics)
        #expect(full.longestWait == .milliseconds(500))
    }

    @Test(arguments: [
        ("kafka://", "no host"), ("kafka://h/topic", "no path"),
        ("kafka://h?partition=x", "partition"), ("kafka://h?acks=0", "acks=0"),
        ("kafka://h?acks=2", "all or 1"), ("kafka://h?group_id=g", "group"),
        ("kafka://h?sasl_mechanism=GSSAPI&username=u", "SCRAM-SHA-256"),
        ("kafka://h?sasl_mechanism=PLAIN", "needs a user"),
        ("kafka://h?security_protocol=SSL", "TLS"), ("kafka://h?colour=red", "unknown option"),
        ("kafka://h?acks=1&enable_idempotence=true", "acks=all"),
        ("kafka://:p@h", "needs a user"),
    ])
    func whatIsWrongIsRefusedInWords(text: String, words: String) {
        #expect {
            _ = try KafkaURL(try ServerURL(text))
        } throws: { "\($0)".contains(words) }
    }

    @Test(arguments: ["", ".", "..", "two words", "a/b", "é", String(repeating: "x", count: 250)])
    func namesThatAreNoTopicsAreRefused(name: String) throws {
        let backend = try backend("kafka://h")
        #expect(backend.refusal(of: .channel(name)) != nil)
        #expect(backend.refusal(ofPublishing: .text("x"), to: name) != nil)
        #expect(backend.refusal(of: .channel("Good_name-1.x")) == nil)
        #expect(backend.refusal(of: .pattern("a*")) != nil)
        #expect(
            backend.refusal(ofPublishing: .bytes(Array(repeating: 0, count: 1001)), to: "c") != nil)
    }
}
