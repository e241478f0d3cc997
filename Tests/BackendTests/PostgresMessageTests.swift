import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

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
                var session = try postgresSession("postgres://u:p@h/d")
                var output = SessionOutput()
                session.opened(.main, to: .test, at: .now, into: &output)
                var bytes: [UInt8] = []
                for earlier in prefix { earlier.append(to: &bytes) }
                message.append(to: &bytes)
                var buffer = ReceiveBuffer(bytes)
                do {
                    try session.receive(&buffer, on: .main, at: .now, into: &output)
                } catch {
                    throwing += 1
                }
            }
        }
        #expect(throwing > 60)
    }
}
