import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

let postgresTranscripts = Fixtures.names(in: "postgres").filter { $0.hasSuffix(".transcript") }
    .map { Transcript(named: $0) }

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(1000),
    maximumMessageSize: 1 << 20)

private func session(_ url: String, nonce: String?) throws -> any Session {
    try PostgresBackend(try ServerURL(url), options: options, environment: .empty)
        .makeSession(nonce: nonce ?? "abcdefghijklmnopqrstuvwx")
}

struct PostgresTranscriptTests {
    @Test(arguments: postgresTranscripts, Feed.allCases)
    func replays(transcript: Transcript, feed: Feed) throws {
        var player = TranscriptPlayer(try session(transcript.url, nonce: transcript.nonce))
        player.play(transcript, feed: feed)
    }

    @Test func thereAreTranscriptsOfTwoVersions() {
        for version in ["15.20", "18.6"] {
            #expect(postgresTranscripts.contains { $0.name.contains(version) })
        }
    }

    /// Promise 10: whatever comes, a session yields events or throws, and ends.
    @Test(arguments: postgresTranscripts)
    func survivesDamage(transcript: Transcript) throws {
        var random = SeededRandom()
        for round in 0..<12 {
            var session = try session(transcript.url, nonce: transcript.nonce)
            var output = SessionOutput()
            session.opened(.main, at: .now, into: &output)
            var bytes = Mutation.apply(to: transcript.received, using: &random)
            var buffer = ReceiveBuffer()
            do throws(ProtocolError) {
                while !bytes.isEmpty {
                    let count = min(Int.random(in: 1...2000, using: &random), bytes.count)
                    buffer.append(bytes.prefix(count))
                    bytes = Array(bytes.dropFirst(count))
                    try session.receive(&buffer, on: .main, into: &output)
                    while let due = session.deadline, due <= .now {
                        try session.timeReached(.now, into: &output)
                    }
                    session.perform(
                        .subscribe([Topic(id: 0, name: .channel("chat"))]), into: &output)
                    session.perform(
                        .publish([Publication(ticket: 0, channel: "c", payload: .text("x"))]),
                        into: &output)
                    _ = output.takeEvents()
                }
            } catch {
                #expect(!error.description.isEmpty, "seed \(random.seed), round \(round)")
            }
        }
    }
}

private func text(_ string: String) -> [UInt8] { Array(string.utf8) }

private let serverMessages: [ServerMessage] = [
    .authentication(.ok), .authentication(.cleartextPassword),
    .authentication(.md5Password(salt: [1, 2, 3, 4])),
    .authentication(.sasl(mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])),
    .authentication(.sasl(mechanisms: [])), .authentication(.saslContinue(text("r=x"))),
    .authentication(.saslFinal(text("v=x"))), .authentication(.other(code: 7)),
    .parameterStatus(name: "client_encoding", value: "UTF8"),
    .backendKeyData(process: 42, key: [1, 2, 3, 4]),
    .backendKeyData(process: -1, key: Array(repeating: 7, count: 32)),
    .readyForQuery(.idle), .readyForQuery(.inTransaction), .readyForQuery(.failed),
    .errorResponse(ServerError(severity: "ERROR", code: "42501", message: "no")),
    .noticeResponse(ServerError(severity: "WARNING", code: "57P01", message: "bye")),
    .notification(process: 1, channel: text("chat"), payload: text("hello")),
    .notification(process: 1, channel: [], payload: []),
    .commandComplete("LISTEN"), .parseComplete, .bindComplete, .closeComplete, .noData, .emptyQuery,
    .portalSuspended, .parameterDescription([25, 25]), .rowDescription(["a", "b"]),
    .dataRow([text("1"), nil, []]), .dataRow([]),
    .negotiateProtocolVersion(newest: 196_608, unknown: ["_pq_.x"]),
]

private let clientMessages: [ClientMessage] = [
    .password("secret"), .query("SELECT 1"), .query(""), .execute, .sync, .terminate,
    .parse(statement: "s", query: "SELECT $1", types: [25]),
    .bind(statement: "s", values: [text("a"), []]), .bind(statement: "", values: []),
]

/// Bodies that no server may send: the type, the body in hexadecimal-escaped text, a part of the error.
private let serverFaults: [(type: String, body: String, says: String)] = [
    ("A", "0", "4 bytes|1 bytes more"), ("A", "\\x00\\x00\\x00\\x01chat", "a NUL"),
    ("A", "\\x00\\x00\\x00\\x01chat\\x00hello", "a NUL"),
    ("A", "\\x00\\x00\\x00\\x01chat\\x00hello\\x00more", "the end"),
    ("D", "\\x00\\x01\\x00\\x00\\x00\\x05ab", "a length up to 2"),
    ("D", "\\x00\\x01\\xff\\xff\\xff\\xfe", "-1 or a length"), ("D", "\\xff\\xff", "a count"),
    ("D", "\\x00\\x02\\xff\\xff\\xff\\xff", "1 bytes"), ("C", "0", "a NUL"),
    ("R", "\\x00\\x00\\x00\\x0a0\\x12", "a NUL"),
    ("R", "\\x00\\x00\\x00\\x05abc", "a salt of 4 bytes"),
    ("R", "", "1 bytes more"), ("Z", "", "1 bytes more"), ("Z", "X", "I, T or E"),
    ("Z", "II", "the end"),
    ("K", "\\x00\\x00\\x00\\x01abc", "a key of 4 to 256"), ("S", "name\\x00", "a NUL"),
    ("E", "Sx\\x00", "1 bytes more"), ("E", "S", "a NUL"), ("1", "x", "the end"),
    ("T", "\\x00\\x01a\\x00", "18 bytes more"), ("t", "\\x7f\\xff", "1 bytes more"),
    ("v", "\\x00\\x00\\x00\\x00\\x7f\\xff\\xff\\xff", "a count that fits"),
    ("?", "", "a type that was asked for"), ("G", "", "a type that was asked for"),
    ("\\x00", "", "'0x0'"),
]

struct PostgresMessageTests {
    private func frame(_ bytes: [UInt8]) throws -> (type: UInt8, body: ArraySlice<UInt8>)? {
        guard let header = try PostgresFrame.next(in: bytes.span, at: 0) else { return nil }
        return (header.type, bytes[header.body])
    }

    @Test(arguments: serverMessages)
    func serverMessagesComeBack(message: ServerMessage) throws {
        var bytes: [UInt8] = []
        message.append(to: &bytes)
        for end in 0..<bytes.count { #expect(try frame(Array(bytes[..<end])) == nil) }
        let parts = try frame(bytes + text("more"))
        #expect(try parts.map { try ServerMessage(type: $0.type, body: $0.body) } == message)
    }

    @Test(arguments: clientMessages)
    func clientMessagesComeBack(message: ClientMessage) throws {
        var bytes: [UInt8] = []
        message.append(to: &bytes)
        let parts = try frame(bytes)
        #expect(try parts.map { try ClientMessage(type: $0.type, body: $0.body) } == message)
    }

    @Test(arguments: [
        ("28P01", Rejection.Kind.authentication), ("28000", .authentication),
        ("42501", .permission),
        ("25006", .unsuitable), ("57P01", .temporary), ("57P02", .temporary), ("57P03", .temporary),
        ("57P05", .temporary), ("53300", .temporary), ("54000", .temporary), ("58P01", .temporary),
        ("3D000", .permanent), ("22023", .permanent), ("42601", .permanent),
    ])
    func errorsAreSortedByTheirCode(code: String, kind: Rejection.Kind) {
        let error = ServerError(severity: "ERROR", code: code, message: "text")
        #expect(error.rejection.kind == kind)
        #expect(error.rejection.message.contains(code))
    }

    /// PgBouncer has one code for all of them.
    @Test(arguments: [
        ("SASL authentication failed", Rejection.Kind.authentication),
        ("password authentication failed", .authentication),
        ("no such user: someone", .authentication),
        ("no such database: d", .permanent), ("server login has been failing", .temporary),
    ])
    func errorsOfPgBouncerAreSortedByTheirText(text: String, kind: Rejection.Kind) {
        let error = ServerError(severity: "FATAL", code: "08P01", message: text)
        #expect(error.rejection.kind == kind)
    }

    @Test func theStartupMessageComesBack() throws {
        let message = ClientMessage.startup([("user", "ä"), ("database", "d")])
        var bytes: [UInt8] = []
        message.append(to: &bytes)
        #expect(Array(bytes[4..<8]) == [0, 3, 0, 0])
        #expect(try ClientMessage(startup: bytes[4...]) == message)
    }

    @Test(arguments: serverFaults)
    func faultsAreRefusedInWords(fault: (type: String, body: String, says: String)) {
        let error = #expect(throws: ProtocolError.self) {
            _ = try ServerMessage(
                type: Transcript.unescape(fault.type)[0], body: Transcript.unescape(fault.body)[...]
            )
        }
        let text = error?.description ?? ""
        #expect(fault.says.split(separator: "|").contains { text.contains($0) }, "\(text)")
    }

    @Test(arguments: [0, 1, 3, -1, Int32.min, Int32.max, 1_048_577] as [Int32])
    func impossibleLengthsAreRefusedByTheirHeader(length: Int32) {
        let bits = UInt32(bitPattern: length)
        let bytes =
            [UInt8(ascii: "A")] + (0..<4).map { UInt8(truncatingIfNeeded: bits >> (24 - 8 * $0)) }
        #expect(throws: ProtocolError.self) { _ = try PostgresFrame.next(in: bytes.span, at: 0) }
    }

    /// Every message in every step of a login and of a session: it moves or throws.
    @Test func everyMessageInEveryPhaseMovesOrThrows() throws {
        let prefixes: [[ServerMessage]] = [
            [], [.authentication(.md5Password(salt: [1, 2, 3, 4]))],
            [.authentication(.sasl(mechanisms: ["SCRAM-SHA-256"]))], [.authentication(.ok)],
            [.authentication(.ok), .readyForQuery(.idle)],
            [
                .authentication(.ok), .readyForQuery(.idle), .readyForQuery(.idle),
                .readyForQuery(.idle),
            ],
        ]
        var throwing = 0
        for prefix in prefixes {
            for message in serverMessages {
                var session = try session("postgres://u:p@h/d", nonce: nil)
                var output = SessionOutput()
                session.opened(.main, at: .now, into: &output)
                var bytes: [UInt8] = []
                for earlier in prefix { earlier.append(to: &bytes) }
                message.append(to: &bytes)
                var buffer = ReceiveBuffer(bytes)
                do {
                    try session.receive(&buffer, on: .main, into: &output)
                } catch {
                    throwing += 1
                }
            }
        }
        #expect(throwing > 60)
    }
}

/// Servers that lie in a login. None may get the password, or a proof for a nonce that is not ours.
@Suite(.timeLimit(.minutes(1)))
struct LyingServerTests {
    private let scram = ServerMessage.authentication(.sasl(mechanisms: ["SCRAM-SHA-256"]))
    private let nonce = "abcdefghijklmnopqrstuvwx"
    private let salt = "s=W22ZaJ0SNY7soEsUEjb6gQ=="

    /// Fault 65: what a server says beside the point is read, cut and forgotten.
    @Test func noticesWithoutEndAreForgotten() throws {
        let long = ServerMessage.noticeResponse(
            ServerError(
                severity: "WARNING", code: "01000",
                message: String(repeating: "x", count: 1_000_000))
        )
        let short = ServerMessage.noticeResponse(
            ServerError(severity: "NOTICE", code: "00000", message: "x"))
        let said = try say(
            [.authentication(.ok)] + Array(repeating: short, count: 20_000) + [long, long])
        #expect(said.events.isEmpty)
        let refusal = try say([
            .errorResponse(
                ServerError(
                    severity: "FATAL", code: "53300",
                    message: String(repeating: "y", count: 1_000_000)))
        ])
        guard case .rejected(let rejection)? = refusal.events.first else {
            Issue.record("\(refusal.events)")
            return
        }
        #expect(rejection.message.count <= Rejection.messageLimit + 20)
    }

    private let ready = ServerMessage.readyForQuery(.idle)

    /// A greeting by process 42, and the answers to what comes before the first command.
    private func login(process: String) -> [ServerMessage] {
        [
            .authentication(.ok), .parameterStatus(name: "client_encoding", value: "UTF8"),
            .backendKeyData(process: 42, key: [1, 2, 3, 4]), ready, .parseComplete, .parseComplete,
            ready, .parseComplete, .bindComplete, .dataRow([text(process)]),
            .commandComplete("SELECT 1"), ready,
        ]
    }

    private func hear(
        _ messages: [ServerMessage], _ session: inout any Session, _ output: inout SessionOutput,
        on lane: Lane = .main
    ) throws -> [Event] {
        var bytes: [UInt8] = []
        for message in messages { message.append(to: &bytes) }
        var buffer = ReceiveBuffer(bytes)
        try session.receive(&buffer, on: lane, into: &output)
        return output.takeEvents()
    }

    /// Fault 44, among others: whoever runs the server should know.
    @Test func warningsAreToldAndNoticesAreNot() throws {
        var session = try session("postgres://user@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, at: .now, into: &output)
        _ = try hear(login(process: "42"), &session, &output)
        let said = [("NOTICE", "truncated"), ("WARNING", "NOTIFY queue is 50% full")].map {
            ServerMessage.noticeResponse(
                ServerError(severity: $0.0, code: "01000", message: $0.1 + "\n"))
        }
        let warnings = try hear(said, &session, &output).map { event in
            if case .warned(let text) = event { text } else { "\(event)" }
        }
        #expect(warnings == ["NOTIFY queue is 50% full\\n (SQLSTATE 01000)"])
    }

    /// A pooler without prepared statements: all that went out by name goes out again, and none is refused.
    @Test func publishesGoOnWithoutThePreparedStatement() throws {
        var session = try session("postgres://user@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, at: .now, into: &output)
        _ = try hear(login(process: "42"), &session, &output)
        // Equal, so each in a transaction of its own, all on their way at once.
        let publications = (0..<3).map {
            Publication(ticket: UInt64($0), channel: "c", payload: .text("same"))
        }
        session.perform(.publish(publications), into: &output)
        let gone = ServerMessage.errorResponse(
            ServerError(severity: "ERROR", code: "26000", message: "no such statement"))
        let refused = try hear([gone, ready, gone, ready, gone, ready], &session, &output)
        #expect(refused.isEmpty)
        let done: [ServerMessage] = [
            .parseComplete, .bindComplete, .dataRow([[]]), .commandComplete("SELECT 1"), ready,
        ]
        var published = 0
        for case .published(let acceptance) in try hear(done + done + done, &session, &output) {
            published += acceptance.count
        }
        #expect(published == 3)
    }

    /// ReadyForQuery alone says nothing of the message.
    @Test func aPublishThatWasNotCarriedOutIsNotAccepted() throws {
        for answer in [[ready], [.noData, ready], [.parseComplete, .bindComplete, ready]] {
            var session = try session("postgres://user@h/d", nonce: nonce)
            var output = SessionOutput()
            session.opened(.main, at: .now, into: &output)
            _ = try hear(login(process: "42"), &session, &output)
            let one = Publication(ticket: 0, channel: "c", payload: .text("x"))
            session.perform(.publish([one]), into: &output)
            #expect(throws: ProtocolError.self) { try hear(answer, &session, &output) }
        }
    }

    /// What follows a group whose members may have to be sent again waits for it.
    @Test func aGroupThatFailsDoesNotFallBehind() throws {
        var session = try session("postgres://user@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, at: .now, into: &output)
        _ = try hear(login(process: "42"), &session, &output)
        let texts = ["1", "2", String(repeating: "3", count: 9000), "4", "5"]
        let publications = texts.enumerated().map {
            Publication(ticket: UInt64($0.offset), channel: "c", payload: .text($0.element))
        }
        session.perform(.publish(publications), into: &output)
        let wrong = ServerMessage.errorResponse(
            ServerError(severity: "ERROR", code: "22P05", message: "no such character"))
        let done: [ServerMessage] = [
            .bindComplete, .dataRow([[]]), .commandComplete("SELECT 1"), ready,
        ]
        var order: [UInt64] = []
        var answer = [wrong, ready]
        for _ in 0..<10 where session.publishCapacity == 0 {
            for event in try hear(answer, &session, &output) {
                guard case .published(let acceptance) = event else { continue }
                order += (0..<acceptance.count).map { acceptance.firstTicket + UInt64($0) }
            }
            answer = done
        }
        #expect(order == [0, 1, 2, 3, 4])
        #expect(session.publishCapacity > 0)
    }

    /// A session behind a pooler, whose probe waits for its second connection.
    private func probing(
        _ output: inout SessionOutput, at now: Instant, isListening: Bool = true
    ) throws -> any Session {
        var session = try session("postgres://user@h/d", nonce: nonce)
        session.opened(.main, at: now, into: &output)
        _ = try hear(login(process: "43"), &session, &output)
        session.perform(.subscribe([Topic(id: 7, name: .channel("c"))]), into: &output)
        _ = try hear(isListening ? listened + listened : listened, &session, &output)
        #expect(output.takeWantedLanes() == [.subscriber])
        try session.timeReached(now, into: &output)
        return session
    }

    private var listened: [ServerMessage] {
        [.parseComplete, .bindComplete, .commandComplete("LISTEN"), ready]
    }

    /// What is notified before LISTEN is carried out comes to nobody, and would prove nothing.
    @Test func theProbeWaitsForItsOwnLISTEN() throws {
        var output = SessionOutput()
        let now = Instant.now
        var session = try probing(&output, at: now, isListening: false)
        session.opened(.subscriber, at: now, into: &output)
        output[.subscriber] = []
        _ = try hear(secondLogin, &session, &output, on: .subscriber)
        #expect(output[.subscriber].isEmpty)
        _ = try hear(listened, &session, &output)
        #expect(String(decoding: output[.subscriber], as: UTF8.self).contains("pg_notify"))
    }

    private let secondLogin: [ServerMessage] = [
        .authentication(.ok), .parameterStatus(name: "client_encoding", value: "UTF8"),
        .backendKeyData(process: 44, key: [1, 2, 3, 4]), .readyForQuery(.idle),
    ]

    /// The sure sign of a pooler in transaction mode: another connection gets what we listen to.
    @Test func aNotificationThatAnotherConnectionGetsIsProof() throws {
        var output = SessionOutput()
        let now = Instant.now
        var session = try probing(&output, at: now)
        session.opened(.subscriber, at: now, into: &output)
        _ = try hear(secondLogin, &session, &output, on: .subscriber)
        let channel = "broadcaster_probe_" + nonce.prefix(24)
        let stolen: [ServerMessage] = [
            .parseComplete, .bindComplete, .dataRow([[]]), .commandComplete("SELECT 1"),
            .notification(process: 44, channel: text(channel), payload: text(nonce)), ready,
        ]
        _ = try hear(stolen, &session, &output, on: .subscriber)
        try session.timeReached(now, into: &output)
        let isRefused = output.takeEvents().contains { event in
            if case .subscriptionRefused(topic: 7, _) = event { true } else { false }
        }
        #expect(isRefused)
    }

    /// Where the second connection took 3 s, a notification may take longer than 2 s: a busy machine is no pooler.
    @Test func aSlowMachineIsNoPooler() throws {
        var output = SessionOutput()
        var now = Instant.now
        var session = try probing(&output, at: now)
        now += .seconds(3)
        session.opened(.subscriber, at: now, into: &output)
        _ = try hear(secondLogin, &session, &output, on: .subscriber)
        let done: [ServerMessage] = [
            .parseComplete, .bindComplete, .dataRow([[]]), .commandComplete("SELECT 1"), ready,
        ]
        _ = try hear(done, &session, &output, on: .subscriber)
        try session.timeReached(now, into: &output)
        now += .seconds(4)
        try session.timeReached(now, into: &output)
        #expect(output.takeEvents().isEmpty)
        now += .seconds(1)
        try session.timeReached(now, into: &output)
        #expect(output.takeEvents().count == 1)
    }

    /// The probe's own connection is all that is lost with it.
    @Test func aPoolerWithoutASecondConnectionIsBelieved() throws {
        var session = try session("postgres://user@h/d", nonce: nonce)
        var output = SessionOutput()
        var now = Instant.now
        session.opened(.main, at: now, into: &output)
        // The process is another one than that of the greeting: there is a pooler.
        let events = try hear(login(process: "43"), &session, &output)
        guard case .ready? = events.last else {
            Issue.record("\(events)")
            return
        }
        session.perform(.subscribe([Topic(id: 7, name: .channel("c"))]), into: &output)
        let listened: [ServerMessage] = [
            .parseComplete, .bindComplete, .commandComplete("LISTEN"), ready,
        ]
        _ = try hear(listened + listened, &session, &output)
        #expect(output.takeWantedLanes() == [.subscriber])
        let goesOn = session.lost(.subscriber, into: &output)
        #expect(goesOn)
        for _ in 0..<10 {
            now += .milliseconds(1)
            try session.timeReached(now, into: &output)
        }
        let subscribed = output.takeEvents().contains { event in
            if case .subscribed(topic: 7) = event { true } else { false }
        }
        #expect(subscribed)
    }

    private func say(_ messages: [ServerMessage]) throws -> (sent: [UInt8], events: [Event]) {
        var session = try session("postgres://user:hunter2@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, at: .now, into: &output)
        var sent: [UInt8] = []
        for message in messages {
            var bytes: [UInt8] = []
            message.append(to: &bytes)
            var buffer = ReceiveBuffer(bytes)
            defer { sent += output[.main] }
            try session.receive(&buffer, on: .main, into: &output)
            while let due = session.deadline, due <= .now {
                try session.timeReached(.now, into: &output)
            }
        }
        return (sent, output.takeEvents())
    }

    @Test func theyAreNotBelieved() {
        let first = ServerMessage.authentication(
            .saslContinue(text("r=\(nonce)server,\(salt),i=1")))
        let wrongFinal = ServerMessage.authentication(
            .saslFinal(text("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")))
        let lies: [[ServerMessage]] = [
            // No proof of the server's, or a wrong one.
            [scram, first, .authentication(.ok)], [scram, first, wrongFinal],
            [scram, .authentication(.ok)], [scram, first, .readyForQuery(.idle)],
            [scram, wrongFinal], [scram, first, first],
            // Another method once SASL has begun.
            [scram, .authentication(.cleartextPassword)],
            [scram, first, .authentication(.cleartextPassword)],
            [scram, .authentication(.md5Password(salt: [1, 2, 3, 4]))], [scram, scram],
            // A nonce that is not ours, or adds nothing.
            [scram, .authentication(.saslContinue(text("r=\(nonce),\(salt),i=1")))],
            [scram, .authentication(.saslContinue(text("r=other\(nonce),\(salt),i=1")))],
            // Work without end.
            [scram, .authentication(.saslContinue(text("r=\(nonce)x,\(salt),i=1000000000")))],
            // Out of turn.
            [.readyForQuery(.idle)], [.authentication(.saslContinue([]))],
            [.authentication(.saslFinal([]))],
            [.authentication(.ok), .authentication(.cleartextPassword)],
            [.authentication(.ok), .parameterStatus(name: "client_encoding", value: "LATIN1")],
        ]
        for lie in lies {
            #expect(throws: ProtocolError.self, "\(lie)") { _ = try say(lie) }
        }
    }

    private let login: [ServerMessage] = [
        .authentication(.ok), .backendKeyData(process: 7, key: [1, 2, 3, 4]),
        .readyForQuery(.idle),
        .parseComplete, .readyForQuery(.idle), .dataRow([text("7")]),
        .commandComplete("SELECT 1"), .readyForQuery(.idle),
    ]

    @Test func anotherEncodingIsAViolationLaterToo() throws {
        let change = ServerMessage.parameterStatus(name: "client_encoding", value: "LATIN1")
        #expect(throws: ProtocolError.self) { _ = try say(login + [change]) }
    }

    /// To go on after an answer too many would give each answer that follows to another.
    @Test func whatNobodyAskedForIsAViolation() throws {
        #expect(try say(login).events.count == 1, "ready, and nothing else")
        let strays: [ServerMessage] = [
            .commandComplete("LISTEN"), .readyForQuery(.idle), .parseComplete, .bindComplete,
            .closeComplete, .noData, .emptyQuery, .portalSuspended, .dataRow([text("7")]),
            .errorResponse(ServerError(severity: "ERROR", code: "42501", message: "no")),
        ]
        for stray in strays {
            let error = #expect(throws: ProtocolError.self, "\(stray)") {
                _ = try say(login + [stray])
            }
            #expect(error?.description.contains("nothing was asked") == true, "\(stray)")
        }
    }

    @Test func noneGetsThePasswordInTheClear() throws {
        for lie in [
            [ServerMessage.authentication(.cleartextPassword)],
            [.authentication(.sasl(mechanisms: ["SCRAM-SHA-256-PLUS"]))],
            [.authentication(.sasl(mechanisms: []))], [.authentication(.other(code: 7))],
        ] {
            let (sent, events) = try say(lie)
            #expect(!String(decoding: sent, as: UTF8.self).contains("hunter2"))
            guard case .rejected(let rejection)? = events.first else {
                Issue.record("\(events)")
                continue
            }
            #expect(rejection.kind == .authentication)
        }
    }

    @Test func theMD5AnswerIsThatOfPostgres() throws {
        var session = try session("postgres://md5_user:password@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, at: .now, into: &output)
        var bytes: [UInt8] = []
        ServerMessage.authentication(.md5Password(salt: [1, 2, 3, 4])).append(to: &bytes)
        var buffer = ReceiveBuffer(bytes)
        try session.receive(&buffer, on: .main, into: &output)
        let sent = String(decoding: output[.main], as: UTF8.self)
        #expect(sent.hasSuffix("md580a32c6f038b79de232354a2ee7060eb\0"))
    }
}

/// Large messages whose parts do not all come.
struct PostgresPartsTests {
    private let nonce = "abcdefghijklmnopqrstuvwx"

    /// What a session that listens to `chat` tells of these payloads.
    private func told(of payloads: [String]) throws -> [String] {
        var session = try session("postgres://u@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, at: .now, into: &output)
        func receive(_ messages: [ServerMessage]) throws {
            var bytes: [UInt8] = []
            for message in messages { message.append(to: &bytes) }
            var buffer = ReceiveBuffer(bytes)
            try session.receive(&buffer, on: .main, into: &output)
        }
        // The login, the preparation, and the process's number.
        try receive([
            .authentication(.ok), .backendKeyData(process: 7, key: [1, 2, 3, 4]),
            .readyForQuery(.idle),
            .parseComplete, .readyForQuery(.idle), .dataRow([text("7")]),
            .commandComplete("SELECT 1"),
            .readyForQuery(.idle),
        ])
        session.perform(.subscribe([Topic(id: 0, name: .channel("chat"))]), into: &output)
        try receive([
            .commandComplete("LISTEN"), .readyForQuery(.idle),
            .notification(
                process: 7, channel: text("broadcaster_probe_\(nonce)"), payload: text(nonce)),
        ])
        _ = output.takeEvents()
        try receive(
            payloads.map {
                .notification(process: 9, channel: text("chat"), payload: text($0))
            })
        return output.takeEvents().flatMap { TranscriptLine.event($0) { _ in .channel("chat") } }
    }

    @Test func theyAreAGapInTheirPlaceAndTheRestGoesOn() throws {
        let told = try told(of: [
            "before", "broadcaster:1:p:1:1/3:a", "broadcaster:1:p:1:2/3:b", "after",
            "broadcaster:1:p:2:1/2:c", "broadcaster:1:p:2:2/2:d",
            "broadcaster:1:p:3:1/2:e", "broadcaster:1:?:marked by another",
        ])
        #expect(
            told == [
                "! message chat before",
                "! undeliverable chat a large message came without all its parts",
                "! message chat after", "! message chat cd",
                "! undeliverable chat a large message came without all its parts",
                "! message chat broadcaster:1:?:marked by another",
            ])
    }
}
