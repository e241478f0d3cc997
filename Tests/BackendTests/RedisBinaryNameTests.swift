import BroadcasterMemory
import BroadcasterPostgres
import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct RedisBinaryNameTests {
    private let names: [[UInt8]] = [[0x6b, 0xff], [0x6b, 0xfe], Array("k\u{FFFD}".utf8)]

    private func bulk(_ bytes: [UInt8]) -> [UInt8] {
        Array("$\(bytes.count)\r\n".utf8) + bytes + Array("\r\n".utf8)
    }

    private func receive(
        _ bytes: [UInt8], _ session: inout any Session, _ output: inout SessionOutput
    ) throws -> [String] {
        var buffer = ReceiveBuffer(bytes)
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        return output.takeEvents().flatMap { TranscriptLine.event($0) { "\($0)".name } }
    }

    /// Three channels that are one text, by both ways of reading: the scanner's and the decoder's (behind an attribute).
    @Test(arguments: [false, true])
    func channelsAreSubscribedByBytesAndToldApart(isDecoded: Bool) throws {
        var session = try redisSession("redis://h")
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        _ = try receive(Array("%1\r\n+version\r\n+7\r\n".utf8), &session, &output)
        output[.main] = []
        let topics = names.enumerated().map { Topic(id: $0, name: .channel(bytes: $1)) }
        session.perform(.subscribe(topics), at: .now, into: &output)
        #expect(
            output[.main] == Array("*4\r\n$9\r\nSUBSCRIBE\r\n".utf8) + names.flatMap(bulk))
        for (id, name) in names.enumerated() {
            let told = try receive(
                Array(">3\r\n$9\r\nsubscribe\r\n".utf8) + bulk(name) + Array(":1\r\n".utf8),
                &session, &output)
            #expect(told == ["! subscribed \(id)"])
        }
        for name in names.reversed() {
            let attribute = isDecoded ? "|1\r\n+ttl\r\n:9\r\n" : ""
            let told = try receive(
                Array("\(attribute)>3\r\n$7\r\nmessage\r\n".utf8) + bulk(name) + bulk([0x78]),
                &session, &output)
            #expect(told == ["! message \(TranscriptLine.escape(name)) x"])
        }
        session.perform(.unsubscribe([topics[0]]), at: .now, into: &output)
        _ = try receive(
            Array(">3\r\n$11\r\nunsubscribe\r\n".utf8) + bulk(names[0]) + Array(":2\r\n".utf8),
            &session, &output)
        for (id, name) in names.enumerated() {
            let told = try receive(
                Array(">3\r\n$7\r\nmessage\r\n".utf8) + bulk(name) + bulk([0x78]), &session, &output
            )
            #expect(told.count == (id == 0 ? 0 : 1))
        }
    }

    @Test func aPatternsChannelsKeepTheirBytes() throws {
        var session = try redisSession("redis://h")
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        _ = try receive(Array("%1\r\n+version\r\n+7\r\n".utf8), &session, &output)
        session.perform(
            .subscribe([Topic(id: 0, name: .pattern("k*"))]), at: .now, into: &output)
        _ = try receive(
            Array(">3\r\n+psubscribe\r\n+k*\r\n:1\r\n".utf8), &session, &output)
        for name in names {
            let told = try receive(
                Array(">4\r\n$8\r\npmessage\r\n$2\r\nk*\r\n".utf8) + bulk(name) + bulk([0x78]),
                &session, &output)
            #expect(told == ["! message \(TranscriptLine.escape(name)) (k*) x"])
        }
    }

    @Test func onlyRedisHasSuchNames() throws {
        let name = TopicName.channel(bytes: [0xff])
        let options = CommonOptions(
            connectTimeout: .seconds(1), publishTimeout: .seconds(1), pingInterval: .seconds(1),
            maximumMessageSize: 10)
        let redis = try RedisBackend(try ServerURL("redis://h"), options: options)
        #expect(redis.refusal(of: name) == nil)
        #expect(redis.refusal(of: .binaryChannel([])) != nil)
        let long = [UInt8](repeating: 0xff, count: 11)
        #expect(redis.refusal(of: .channel(bytes: long)) == "the channel's name has 11 bytes")
        let postgres = try PostgresBackend(
            try ServerURL("postgres://u@h/d"), options: options, environment: .empty)
        #expect(postgres.refusal(of: name)?.contains("UTF-8") == true)
        #expect(MemoryBackend(maximumMessageSize: 1).refusal(of: name) != nil)
    }
}

extension String {
    fileprivate var name: TopicName { .channel(self) }
}
