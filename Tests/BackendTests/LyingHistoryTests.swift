import BroadcasterPostgres
import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let topic = Topic(id: 0, name: .channel("chat"))

private let forwards = Command.read([
    HistoryRequest(
        ticket: 1, channel: topic,
        kind: .forwards(PageRequest(cursor: .from(.origin), count: 10)))
])
private let publish = Command.publish([
    Publication(ticket: 1, channel: "a", payload: .text("x")),
    Publication(ticket: 2, channel: "b", payload: .text("y")),
])

/// Servers that lie about a history: what is no answer to the question is a violation, and nothing is believed that traps.
@Suite(.timeLimit(.minutes(1)))
struct LyingHistoryTests: PostgresConversation {
    // MARK: Postgres

    private func number(_ value: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
    }

    /// A row as a reading has it: epoch, newest number and its time, oldest number; a message's number, time and content.
    private func row(_ numbers: [Int?], _ content: String? = "x") -> ServerMessage {
        .dataRow(numbers.map { $0.map(number) } + [content.map { text($0) }])
    }

    private func postgres(_ commands: [Command], _ answers: [ServerMessage]) throws -> [Event] {
        var session = try postgresSession(
            "postgres://user:hunter2@h/d?history=messages", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        let login: [ServerMessage] = [
            .authentication(.ok), .parameterStatus(name: "client_encoding", value: "UTF8"),
            ready, .commandComplete("SET"), ready,
        ]
        let events = try hear(login, &session, &output)
        #expect(events.count == 1, "ready: \(events)")
        for command in commands { session.perform(command, at: .now, into: &output) }
        return try hear(answers, &session, &output)
    }

    @Test func whatIsNoRowOfAHistoryIsAViolation() throws {
        let rows: [[[UInt8]?]] = [
            [], [number(1)], [nil, number(1), number(1), nil, nil, nil, nil],
            Array(repeating: text("four"), count: 7), Array(repeating: number(1), count: 8),
        ]
        for row in rows {
            for command in [forwards, publish] {
                #expect(throws: ProtocolError.self, "\(row)") {
                    _ = try postgres([command], [.dataRow(row), ready])
                }
            }
            #expect(throws: ProtocolError.self, "\(row)") {
                _ = try postgres([.subscribe([topic])], [ready, .dataRow(row), ready])
            }
        }
    }

    @Test func aWrongNumberOfAnswersIsAViolation() throws {
        let one = ServerMessage.dataRow([number(1), number(1), number(1)])
        #expect(try !postgres([publish], [one, one, ready]).isEmpty)
        for answers in [[ready], [one, ready], [one, one, one, ready]] {
            #expect(throws: ProtocolError.self, "\(answers)") {
                _ = try postgres([publish], answers)
            }
        }
        #expect(throws: ProtocolError.self) {
            _ = try postgres([publish], [one, one, ready, ready])
        }
        #expect(throws: ProtocolError.self) { _ = try postgres([], [one]) }
    }

    /// Numbers that no server of ours gives: extremes, backwards, of another epoch in the middle.
    @Test func noNumbersTrap() throws {
        let extremes = [Int.min, 0, 1, Int.max]
        for top in extremes {
            for oldest in extremes {
                for offset in extremes {
                    let answers = [
                        row([1, top, Int.min, oldest, offset, Int.max]),
                        row([2, oldest, 0, top, 5, Int.min]), row([1, 3, 3, 1, 2, 2], nil),
                        row([1, 3, 3, nil, nil, nil], nil),
                    ]
                    for place in [Position.origin, Position(epoch: 1, UInt64(Int.max), .max)] {
                        for cursor in [Cursor.after(place), .from(place)] {
                            let page = PageRequest(
                                cursor: cursor, end: place, count: 1000, earlier: [place])
                            for kind in [
                                HistoryRequest.Kind.forwards(page),
                                .backwards(before: place, count: 1), .start(.last(.max)),
                                .start(.all),
                            ] {
                                let request = HistoryRequest(
                                    ticket: 1, channel: topic, kind: kind)
                                _ = try? postgres([.read([request])], answers + [ready, ready])
                            }
                        }
                    }
                    _ = try? postgres([.subscribe([topic])], [ready] + answers + [ready])
                }
            }
        }
    }

    // MARK: Redis

    private func redis(_ commands: [Command], main: String, bells: String = ":1\r\n") throws
        -> [Event]
    {
        let options = CommonOptions(
            connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(1000),
            maximumMessageSize: 1 << 20)
        var session = try RedisStreamBackend(
            try ServerURL("redis-stream://h?protocol=2"), options: options
        ).makeSession()
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        let information = "$0\r\n\r\n$0\r\n\r\n"
        var first = ReceiveBuffer(text(information))
        try session.receive(&first, on: .main, at: .now, into: &output)
        for wish in output.takeConnections() {
            session.opened(wish.lane, to: .test, at: .now, into: &output)
        }
        _ = output.takeEvents()
        for command in commands { session.perform(command, at: .now, into: &output) }
        var buffer = ReceiveBuffer(text(main))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        var other = ReceiveBuffer(text(bells))
        try session.receive(&other, on: Lane(index: 1), at: .now, into: &output)
        return output.takeEvents()
    }

    @Test(arguments: [
        ":1\r\n", "+OK\r\n", "$3\r\nabc\r\n", "*1\r\n:1\r\n", "*1\r\n*0\r\n",
        "*1\r\n*2\r\n$3\r\n1-1\r\n:1\r\n", "*1\r\n*2\r\n$1\r\nx\r\n*0\r\n",
        "*1\r\n*2\r\n$21\r\n18446744073709551616-0\r\n*0\r\n",
        "*1\r\n*3\r\n$3\r\n1-1\r\n*0\r\n*0\r\n",
    ])
    func whatIsNoPageOfAStreamIsAViolation(answer: String) {
        #expect(throws: ProtocolError.self) { _ = try redis([forwards], main: answer) }
    }

    @Test func whatIsNoAnswerToAQuestionIsAViolation() throws {
        #expect(try !redis([publish], main: "$3\r\n1-1\r\n$3\r\n1-2\r\n").isEmpty)
        for answer in [":1\r\n", "+QUEUED\r\n", "$-1\r\n", "$1\r\nx\r\n", "*0\r\n"] {
            #expect(throws: ProtocolError.self, "XADD: \(answer)") {
                _ = try redis([publish], main: answer)
            }
        }
        for answer in [":1\r\n", "+OK\r\n", "$1\r\nx\r\n"] {
            #expect(throws: ProtocolError.self, "XINFO: \(answer)") {
                _ = try redis([.subscribe([topic])], main: answer)
            }
        }
        #expect(throws: ProtocolError.self) { _ = try redis([], main: "$3\r\n1-1\r\n") }
        #expect(throws: ProtocolError.self) { _ = try redis([], main: "", bells: "+OK\r\n") }
        #expect(throws: ProtocolError.self) { _ = try redis([], main: "", bells: ":1\r\n*0\r\n") }
    }

    /// Entries backwards, twice, and more than were asked for; a stream that nobody waits for.
    @Test func nothingThatIsNonsenseTraps() throws {
        let entry = "*2\r\n$3\r\n9-9\r\n*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n"
        let early = "*2\r\n$3\r\n1-1\r\n*1\r\n$7\r\nmessage\r\n"
        let most = "*2\r\n$41\r\n18446744073709551615-18446744073709551615\r\n*-1\r\n"
        for entries in [[entry, early], [entry, entry], [most], [most, early, entry]] {
            let answer = "*\(entries.count)\r\n" + entries.joined()
            for kind in [
                HistoryRequest.Kind.start(.all), .start(.last(1)), .start(.last(.max)),
                .backwards(before: .origin, count: 1), .backwards(before: nil, count: 1000),
                .forwards(PageRequest(cursor: .from(.origin), end: .origin, count: 1)),
                .forwards(PageRequest(cursor: .after(Position(.max, .max)), count: 1)),
                .forwards(
                    PageRequest(
                        cursor: .after(Position(9, 9)), count: 1000, earlier: [Position(1, 1)])),
            ] {
                let request = HistoryRequest(ticket: 1, channel: topic, kind: kind)
                _ = try? redis([.read([request])], main: answer + answer + answer)
            }
        }
        let information =
            "*8\r\n$6\r\nlength\r\n:-1\r\n$17\r\nlast-generated-id\r\n$3\r\n5-5\r\n"
            + "$13\r\nentries-added\r\n:-9223372036854775808\r\n$11\r\nfirst-entry\r\n$1\r\nx\r\n"
        _ = try redis(
            [.subscribe([topic])], main: information,
            bells: ":1\r\n*1\r\n*2\r\n$5\r\nother\r\n*0\r\n")
    }
}
