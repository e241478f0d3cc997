import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Every phase of a session meets every kind of value: it moves or throws.
struct RedisTotalityTests {
    private enum Phase: CaseIterable {
        case greeting, open, openRESP2, subscribed, publishing, pinging, closing
    }

    private func prepared(_ phase: Phase) throws -> any Session {
        let isOld = phase == .openRESP2
        var session = try redisSession(isOld ? "redis://h?protocol=2" : "redis://h")
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        if phase == .greeting { return session }
        let welcome = isOld ? "-NOPERM no\r\n" : "%2\r\n+version\r\n+7\r\n+proto\r\n:3\r\n"
        var buffer = ReceiveBuffer(Array(welcome.utf8))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        for lane in output.takeConnections().map(\.lane) {
            session.opened(lane, to: .test, at: .now, into: &output)
        }
        switch phase {
        case .subscribed:
            session.perform(
                .subscribe([Topic(id: 0, name: .channel("c"))]), at: .now, into: &output)
        case .publishing:
            session.perform(
                .publish([Publication(ticket: 0, channel: "c", payload: .text("x"))]), at: .now,
                into: &output
            )
        case .pinging: session.perform(.ping, at: .now, into: &output)
        case .closing: session.perform(.close, at: .now, into: &output)
        default: break
        }
        return session
    }

    @Test func everyValueInEveryPhaseMovesOrThrows() throws {
        let pushes: [RESPVector] = [
            .init(">3\r\n+subscribe\r\n+c\r\n:1\r\n", .null),
            .init(">3\r\n+unsubscribe\r\n+c\r\n:1\r\n", .null),
            .init(">3\r\n+subscribe\r\n+other\r\n:1\r\n", .null),
            .init(">4\r\n+pmessage\r\n+p\r\n+c\r\n+m\r\n", .null),
            .init(">1\r\n+message\r\n", .null), .init(">2\r\n+invalidate\r\n_\r\n", .null),
            .init("*3\r\n+message\r\n+c\r\n+m\r\n", .null),
        ]
        var throwing = 0
        for phase in Phase.allCases {
            let prepared = try prepared(phase)
            for vector in respVectors + pushes {
                for lane in [Lane.main, .subscriptions] {
                    var session = prepared
                    if lane == .subscriptions, phase != .openRESP2 { continue }
                    var output = SessionOutput()
                    var buffer = ReceiveBuffer(Array(vector.bytes.utf8))
                    do {
                        try session.receive(&buffer, on: lane, at: .now, into: &output)
                    } catch {
                        throwing += 1
                    }
                }
            }
        }
        #expect(throwing > 100, "most values are out of place in most phases")
    }

    @Test(arguments: [
        (":1\r\n", "nothing, none was asked for"), ("+OK\r\n", "nothing, none was asked for"),
        ("-ERR x\r\n", "nothing, none was asked for"),
        (">3\r\n+subscribe\r\n+c\r\n:1\r\n", "only confirmations of what was asked for"),
    ])
    func whatNobodyAskedForIsAViolation(bytes: String, says: String) throws {
        var session = try prepared(.open)
        var output = SessionOutput()
        var buffer = ReceiveBuffer(Array(bytes.utf8))
        let error = #expect(throws: ProtocolError.self) {
            try session.receive(&buffer, on: .main, at: .now, into: &output)
        }
        #expect(error?.description.contains(says) == true)
    }

    /// An answer of the wrong kind is another request's: going on would shift all later answers.
    @Test func anAnswerOfAnotherKindIsAViolation() throws {
        for (phase, bytes) in [
            (Phase.publishing, "+OK\r\n"), (.publishing, "$1\r\n1\r\n"),
            (.pinging, ":1\r\n"), (.subscribed, "+OK\r\n"), (.subscribed, ":1\r\n"),
        ] {
            var session = try prepared(phase)
            var output = SessionOutput()
            var buffer = ReceiveBuffer(Array(bytes.utf8))
            let error = #expect(throws: ProtocolError.self, "\(phase) \(bytes)") {
                try session.receive(&buffer, on: .main, at: .now, into: &output)
            }
            #expect(error?.description.contains("an answer to") == true, "\(phase) \(bytes)")
        }
    }

    @Test func aConfirmationOfAnotherChannelDoesNotPassForOurs() throws {
        var session = try prepared(.subscribed)
        var output = SessionOutput()
        var buffer = ReceiveBuffer(Array(">3\r\n+subscribe\r\n+d\r\n:1\r\n".utf8))
        #expect(throws: ProtocolError.self) {
            try session.receive(&buffer, on: .main, at: .now, into: &output)
        }
    }

    /// Messages come on the subscriber's lane alone in RESP2, however fast they could be read on the other.
    @Test(arguments: [Lane.main, .subscriptions])
    func aMessageOnTheOtherLaneIsAViolation(lane: Lane) throws {
        var session = try prepared(.openRESP2)
        var output = SessionOutput()
        var buffer = ReceiveBuffer()
        func receive(_ text: String, on lane: Lane) throws {
            buffer.append(text.utf8)
            try session.receive(&buffer, on: lane, at: .now, into: &output)
        }
        session.perform(.subscribe([Topic(id: 0, name: .channel("c"))]), at: .now, into: &output)
        try receive("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", on: .subscriptions)
        _ = output.takeEvents()
        let message = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"
        if lane == .main {
            #expect(throws: ProtocolError.self) { try receive(message, on: lane) }
        } else {
            try receive(message, on: lane)
        }
        #expect(output.takeEvents().count == (lane == .main ? 0 : 1))
    }

    @Test func silenceIsAskedAboutAndThenFatal() throws {
        let start = Instant.now
        var session = try prepared(.open)
        var output = SessionOutput()
        output[.main] = []
        var asked = false
        #expect(throws: ProtocolError.self) {
            while let due = session.deadline, due < start + .seconds(60) {
                try session.timeReached(due, into: &output)
                asked = asked || output[.main] == Array("*1\r\n$4\r\nPING\r\n".utf8)
            }
        }
        #expect(asked)
    }
}
