import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
    maximumMessageSize: 64 << 20)

private func session(_ url: String) throws -> any Session {
    try RedisStreamBackend(try ServerURL(url), options: options).makeSession()
}

private let transcripts = Fixtures.names(in: "redis-stream")
    .filter { $0.hasSuffix(".transcript") }.map { Transcript(named: $0) }

/// What a server said, as it was and damaged; and what it says of a stream.
struct RedisStreamTranscriptTests {
    private static let topic = Topic(id: 0, name: .channel("chat"))

    private static let commands: [Command] = [
        .subscribe([topic]),
        .publish([Publication(ticket: 0, channel: "c", payload: .text("x"))]),
        .read([
            HistoryRequest(ticket: 1, channel: topic, kind: .start(.since(.seconds(60)))),
            HistoryRequest(ticket: 2, channel: topic, kind: .start(.last(5))),
            HistoryRequest(
                ticket: 3, channel: topic,
                kind: .forwards(
                    PageRequest(
                        cursor: .after(Position(7, 7)), count: 5, earlier: [Position(6, 6)]))),
            HistoryRequest(
                ticket: 4, channel: topic, kind: .backwards(before: Position(.max, .max), count: 5)),
        ]), .ping, .unsubscribe([topic]),
    ]

    @Test(arguments: transcripts, Feed.allCases)
    func replays(transcript: Transcript, feed: Feed) throws {
        var player = TranscriptPlayer(try session(transcript.url))
        player.playAsWhole(transcript, feed: feed)
    }

    /// Promise 10, on both lanes, with every command under way.
    @Test(arguments: transcripts)
    func survivesDamage(transcript: Transcript) throws {
        var random = SeededRandom()
        for round in 0..<50 {
            var session = try session(transcript.url)
            var output = SessionOutput()
            session.opened(.main, to: .test, at: .now, into: &output)
            var buffers = [ReceiveBuffer(), ReceiveBuffer()]
            do throws(ProtocolError) {
                for step in transcript.steps {
                    guard case .received(let lane, let bytes) = step.input else { continue }
                    let isDamaged = Int.random(in: 0..<4, using: &random) == 0
                    buffers[lane.index].append(
                        isDamaged ? Mutation.apply(to: bytes, using: &random) : bytes)
                    try session.receive(
                        &buffers[lane.index], on: lane, at: .now, into: &output)
                    for wish in output.takeConnections() {
                        session.opened(wish.lane, to: .test, at: .now, into: &output)
                    }
                    for command in Self.commands where Int.random(in: 0..<3, using: &random) == 0 {
                        session.perform(command, at: .now, into: &output)
                    }
                    try session.timeReached(.now, into: &output)
                    _ = output.takeEvents()
                }
            } catch {
                #expect(!error.description.isEmpty, "seed \(random.seed), round \(round)")
            }
        }
    }

    /// What XINFO says of a stream, and what that means for whoever stood at 5-0.
    @Test(arguments: [
        ("no stream", nil, "trimmed from the start"),
        ("nothing came behind", "last-generated-id 5-0 length 0", "kept"),
        ("the end is lost", "last-generated-id 4-0 first-entry 1-0 length 4", "reset"),
        (
            "older and newer ones are kept", "last-generated-id 9-0 first-entry 1-0 length 4",
            "reset"
        ),
        (
            "deleted by itself",
            "last-generated-id 9-0 first-entry 1-0 length 4 max-deleted-entry-id 5-0", "kept"
        ),
        (
            "all before 7-0 are gone", "last-generated-id 9-0 first-entry 7-0 length 3",
            "trimmed to 7-0"
        ),
        ("all are gone", "last-generated-id 9-0 length 0", "trimmed behind 9-0"),
    ])
    func aLostPlaceIsJudged(name: String, information: String?, verdict: String) throws {
        let words = information?.split(separator: " ").map(String.init) ?? []
        var fields: [RESPValue] = []
        for index in stride(from: 0, to: words.count, by: 2) {
            let text = RESPValue.bulkString(Array(words[index + 1].utf8))
            let value: RESPValue =
                switch words[index] {
                case "length": .integer(Int64(words[index + 1]) ?? 0)
                case "first-entry": .array([text, .array([])])
                default: text
                }
            fields += [.bulkString(Array(words[index].utf8)), value]
        }
        var session = try session("redis-stream://h?protocol=2")
        var output = SessionOutput()
        try open(&session, &output)
        let page = PageRequest(cursor: .after(Position(5, 0)), count: 10)
        session.perform(
            .read([HistoryRequest(ticket: 9, channel: Self.topic, kind: .forwards(page))]),
            at: .now, into: &output)
        var answer: [UInt8] = Array(
            "*1\r\n*2\r\n$3\r\n9-0\r\n*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n".utf8)
        if information == nil || information?.hasSuffix("length 0") == true {
            answer = Array("*0\r\n".utf8)
        }
        if information == nil {
            answer += "-ERR no such key\r\n".utf8
        } else {
            RESPEncoder.value(.array(fields), to: &answer)
        }
        var buffer = ReceiveBuffer(answer)
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        var seen = ""
        for case .page(let page) in output.takeEvents() {
            switch page.verdict {
            case .kept: seen = "kept"
            case .reset: seen = "reset"
            case .trimmed where page.next == .after(.origin): seen = "trimmed from the start"
            case .trimmed:
                seen = "trimmed \(page.next.isInclusive ? "to" : "behind") \(page.next.position)"
            }
        }
        #expect(seen == verdict, "\(name)")
    }

    private func open(_ session: inout any Session, _ output: inout SessionOutput) throws {
        session.opened(.main, to: .test, at: .now, into: &output)
        // INFO server, INFO replication; then on the other lane nothing is asked, but CLIENT ID.
        var main = ReceiveBuffer(Array("$0\r\n\r\n$0\r\n\r\n".utf8))
        try session.receive(&main, on: .main, at: .now, into: &output)
        for wish in output.takeConnections() {
            session.opened(wish.lane, to: .test, at: .now, into: &output)
        }
        _ = output.takeEvents()
    }
}
