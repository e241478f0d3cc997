import BroadcasterRabbitMQ
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Reading of channels that RabbitMQ keeps in streams: what is consumed, and what the entries mean.
struct RabbitMQStreamReadingTests {
    private static let reception = Lane(index: 1)
    private static let url = "amqp://h?history=stream"

    /// An entry of a stream: `5 text`, or `6 #` and the name of a mark.
    private static func entry(_ line: String, to tag: String, number: UInt64 = 1) -> [UInt8] {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let isMark = words[1].hasPrefix("#")
        var headers = AMQPTable(["x-stream-offset": .int64(Int64(words[0]) ?? -1)])
        if isMark {
            headers = AMQPTable([
                "x-stream-offset": .int64(Int64(words[0]) ?? -1),
                "broadcaster-mark": .text(String(words[1].dropFirst())),
            ])
        }
        var bytes: [UInt8] = []
        AMQPMethod.basic(
            .deliver(
                tag: tag, number: number, isRedelivered: false, exchange: "broadcaster",
                key: Array("c".utf8))
        ).append(on: 2, to: &bytes)
        var properties: [UInt8] = [0x20, 0]
        headers.append(to: &properties)
        return bytes
            + RabbitMQConversation.content(isMark ? "" : words[1], properties, on: 2)
    }

    /// The connection that reads is there, and consumes the end of the stream of `c`.
    private static func consuming(_ command: (Topic) -> Command) throws -> RabbitMQConversation {
        var conversation = try RabbitMQConversation.ready(url)
        conversation.perform(command(conversation.topic(.channel("c"))))
        conversation.open(reception)
        try conversation.greet(reception)
        try conversation.answer(.channel(.openOk), 2, on: reception)
        for method: AMQPMethod in [
            .channel(.openOk), .exchange(.declareOk), .exchange(.declareOk), .exchange(.bindOk),
            .queue(.declareOk("broadcaster.c", messages: 0, consumers: 0)), .queue(.bindOk),
        ] {
            try conversation.answer(method, 1, on: reception)
        }
        try conversation.answer(.basic(.qosOk), 2, on: reception)
        try conversation.answer(.basic(.consumeOk(tag: "1")), 2, on: reception)
        return conversation
    }

    /// The answer to a request: the mark comes at `end`, and then what is consumed.
    private static func answer(
        _ request: String, end: Int, _ entries: [String], feed: Feed = .whole
    ) throws -> [String] {
        let kind = try #require(
            TranscriptLine.requestKind(request.split(separator: " ").map(String.init)))
        var conversation = try consuming {
            .read([HistoryRequest(ticket: 1, channel: $0, kind: kind)])
        }
        let mark = entry("\(end) #abcdefghijkl-1", to: "1")
        try conversation.receive(mark, on: reception, feed: feed)
        for (index, line) in entries.enumerated() {
            let bytes = entry(line, to: "2", number: UInt64(index + 2))
            try conversation.receive(bytes, on: reception, feed: feed)
        }
        return conversation.takeEvents()
    }

    /// The position of an entry, as text.
    private static func place(_ line: String) throws -> String {
        let end = (Int(line.split(separator: " ")[0]) ?? 0) + 1
        let lines = try answer("start all", end: end, [line])
        return try #require(lines.first?.split(separator: " ").last).description
    }

    struct Row: Sendable, CustomTestStringConvertible {
        /// `@` stands before an entry whose position it is, in brackets.
        let request: String
        let end: Int
        let entries: [String]
        let expected: [String]
        var testDescription: String { "\(request), end \(end)" }
    }

    /// Offsets stand for positions in what is expected.
    private static let rows = [
        Row(request: "start new", end: 7, entries: [], expected: ["! page 1 kept next after 7"]),
        Row(request: "start last 0", end: 7, entries: [], expected: ["! page 1 kept next after 7"]),
        Row(
            request: "start all", end: 7, entries: ["3 x"], expected: ["! page 1 kept next from 3"]),
        Row(
            request: "start since 60", end: 7, entries: ["4 x"],
            expected: ["! page 1 kept next from 4"]),
        Row(
            request: "start last 2", end: 7, entries: ["0 a", "2 b", "3 #m", "4 c", "7 #m"],
            expected: ["! page 1 kept next from 2"]),
        // Fewer than asked for.
        Row(
            request: "start last 9", end: 2, entries: ["0 a", "1 #m", "2 #m"],
            expected: ["! page 1 kept next from 0"]),
        // Nothing but marks.
        Row(
            request: "start last 9", end: 2, entries: ["0 #m", "1 #m", "2 #m"],
            expected: ["! page 1 kept next after 2"]),
        Row(
            request: "before end count 2", end: 3, entries: ["0 a", "1 b", "2 c", "3 #m"],
            expected: ["! page 1 kept next from 1", "! message c [1] b", "! message c [2] c"]),
        Row(
            request: "before @(2 c) count 2", end: 9, entries: ["0 a", "1 b"],
            expected: ["! page 1 kept next from 0 end", "! message c [0] a", "! message c [1] b"]),
        // What stood there is gone, and so is all before it.
        Row(
            request: "before @(2 c) count 2", end: 9, entries: ["5 x"],
            expected: ["! page 1 kept next from 2 end"]),
        Row(
            request: "after 0 to end count 9", end: 2, entries: ["0 a", "1 b", "2 #m"],
            expected: ["! page 1 kept next after 2 end", "! message c [0] a", "! message c [1] b"]),
        Row(
            request: "after 0 to end count 9", end: 8, entries: ["5 a"],
            expected: ["! page 1 trimmed ? next from 5"]),
        Row(
            request: "after @(1 b) to end count 9", end: 3, entries: ["1 b", "2 c", "3 #m"],
            expected: ["! page 1 kept next after 3 end", "! message c [2] c"]),
        Row(
            request: "from @(1 b) to end count 9", end: 3, entries: ["1 b", "2 c", "3 #m"],
            expected: ["! page 1 kept next after 3 end", "! message c [1] b", "! message c [2] c"]),
        Row(
            request: "after @(1 b) to end count 1", end: 4, entries: ["1 b", "2 c", "3 d"],
            expected: ["! page 1 kept next after 2", "! message c [2] c"]),
        Row(
            request: "after @(1 b) to @(2 c) count 9", end: 4, entries: ["1 b", "2 c", "3 d"],
            expected: ["! page 1 kept next after 2 end", "! message c [2] c"]),
        Row(
            request: "after @(1 b) to end count 9", end: 8, entries: ["4 x"],
            expected: ["! page 1 trimmed ? next from 4"]),
        // Another message stands in its place, or the stream is shorter: it was made anew.
        Row(
            request: "after @(1 b) to end count 9", end: 8, entries: ["1 other"],
            expected: ["! page 1 reset next after 0"]),
        Row(
            request: "after @(9 b) to end count 9", end: 3, entries: [],
            expected: ["! page 1 reset next after 0"]),
    ]

    @Test(arguments: rows, [Feed.whole, .byteByByte])
    func readingsMeanWhatTheySay(row: Row, feed: Feed) throws {
        var request = row.request
        while let range = request.firstRange(of: /@\(([^)]*)\)/) {
            let line = String(request[range].dropFirst(2).dropLast())
            request.replaceSubrange(range, with: try Self.place(line))
        }
        let lines = try Self.answer(request, end: row.end, row.entries, feed: feed)
        let shown = lines.map { $0.replacing(/(\d+)-\d+/) { $0.output.1 } }
        #expect(shown == row.expected)
    }

    @Test func aSubscriptionBeginsBehindItsMark() throws {
        var conversation = try Self.consuming { .subscribe([$0]) }
        let written = conversation.sent()
        #expect(
            written.last
                == .basic(.publish(exchange: "", key: Array("broadcaster.c".utf8), .mandatory)))
        // A message that came before, and another session's mark, are not the end.
        try conversation.receive(
            Self.entry("0 a", to: "1") + Self.entry("1 #other-1", to: "1"), on: Self.reception)
        #expect(conversation.takeEvents() == ["! rang c"])
        try conversation.receive(
            Self.entry("2 #abcdefghijkl-1", to: "1", number: 3), on: Self.reception)
        #expect(conversation.takeEvents().first?.hasPrefix("! subscribed c at 2-") == true)
        #expect(
            conversation.sent(on: Self.reception).last == .basic(.ack(3, multiple: true)))
    }

    /// The answers of a page that the newest messages hold take no consumer.
    @Test func whatHasJustComeIsNotReadAgain() throws {
        var conversation = try Self.consuming { .subscribe([$0]) }
        try conversation.receive(
            Self.entry("2 #abcdefghijkl-1", to: "1") + Self.entry("3 a", to: "1"),
            on: Self.reception)
        let place = try #require(
            conversation.takeEvents().first?.split(separator: " ").last.map(String.init))
        _ = conversation.sent(on: Self.reception)
        let kind = try #require(
            TranscriptLine.requestKind(["after", place, "to", "end", "count", "9"]))
        let channel = conversation.topic(.channel("c"))
        conversation.perform(.read([HistoryRequest(ticket: 5, channel: channel, kind: kind)]))
        let lines = conversation.takeEvents()
        #expect(lines.first?.hasPrefix("! page 5 kept next after 3-") == true)
        #expect(lines.count == 2 && conversation.sent(on: Self.reception).isEmpty)
    }

    @Test func aRefusedStreamEndsNoOther() throws {
        var conversation = try Self.consuming { .subscribe([$0]) }
        try conversation.receive(
            Self.entry("2 #abcdefghijkl-1", to: "1"), on: Self.reception)
        _ = conversation.takeEvents()
        conversation.subscribe([.channel("d"), .channel("e")])
        _ = conversation.sent(on: Self.reception)
        let close = AMQPClose(code: 406, text: "inequivalent arg", cause: AMQPMethod.ID(50, 10))
        try conversation.answer(.channel(.close(close)), 1, on: Self.reception)
        #expect(conversation.takeEvents().map { $0.prefix(12) } == ["! refused d "])
        let asked = conversation.sent(on: Self.reception)
        #expect(asked.first == .channel(.closeOk) && asked.count == 4)
    }

    /// A server that repeats what has come, or goes back.
    @Test(arguments: [["2 a", "2 a"], ["2 a", "3 b", "2 a"], ["2 a", "1 #other-1"]])
    func offsetsThatDoNotGoUpAreAViolation(entries: [String]) throws {
        var conversation = try Self.consuming { .subscribe([$0]) }
        for entry in entries.dropLast() {
            try conversation.receive(Self.entry(entry, to: "1"), on: Self.reception)
        }
        #expect(throws: ProtocolError.self) {
            try conversation.receive(Self.entry(entries.last ?? "", to: "1"), on: Self.reception)
        }
    }

    @Test func whatNobodyAskedForIsAViolation() throws {
        let offsetless = RabbitMQConversation.content("x", [0, 0], on: 2)
        var deliver: [UInt8] = []
        AMQPMethod.basic(
            .deliver(tag: "1", number: 1, isRedelivered: false, exchange: "", key: [])
        ).append(on: 2, to: &deliver)
        var answers: [[UInt8]] = [deliver + offsetless, Self.entry("-7 x", to: "1")]
        for method: AMQPMethod in [.basic(.qosOk), .basic(.consumeOk(tag: "9"))] {
            var bytes: [UInt8] = []
            method.append(on: 2, to: &bytes)
            answers.append(bytes)
        }
        for bytes in answers {
            var conversation = try Self.consuming { .subscribe([$0]) }
            #expect(throws: ProtocolError.self) {
                try conversation.receive(bytes, on: Self.reception)
            }
        }
    }

    @Test(arguments: [
        ("history=table", "history is stream, not \"table\""),
        ("stream_max_age=1h", "ask for it by history=stream"),
        ("history=stream&stream_max_bytes=1", "stream_max_bytes"),
    ])
    func optionsAreChecked(query: String, part: String) throws {
        let error = #expect(throws: ServerURLError.self) { try rabbitBackend("amqp://h?\(query)") }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }

    @Test func namesAreChecked() throws {
        let backend = try rabbitBackend(Self.url)
        let longest = String(repeating: "x", count: 255 - "broadcaster.".count)
        #expect(backend.refusal(of: .channel(longest)) == nil)
        #expect(backend.refusal(of: .channel(longest + "x"))?.contains("at most 243 bytes") == true)
        #expect(backend.refusal(of: .pattern("a*"))?.contains("history=stream") == true)
        #expect(backend.refusal(of: TopicName.channel(bytes: [0xff]))?.contains("UTF-8") == true)
        #expect(backend.keepsHistory && backend.refusal(of: .origin) == nil)
        #expect(backend.refusal(of: Position(epoch: 1, 2, 3)) != nil)
    }
}
