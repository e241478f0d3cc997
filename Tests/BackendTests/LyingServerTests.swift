import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Servers that lie in a login. None may get the password, or a proof for a nonce that is not the client's.
@Suite(.timeLimit(.minutes(1)))
struct LyingServerTests: PostgresConversation {
    private let scram = ServerMessage.authentication(.sasl(mechanisms: ["SCRAM-SHA-256"]))
    private let salt = "s=W22ZaJ0SNY7soEsUEjb6gQ=="

    @Test func theyAreNotBelieved() {
        let first = ServerMessage.authentication(
            .saslContinue(text("r=\(nonce)server,\(salt),i=1")))
        let wrongFinal = ServerMessage.authentication(
            .saslFinal(text("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")))
        let lies: [[ServerMessage]] = [
            // No proof of the server, or a wrong one.
            [scram, first, .authentication(.ok)], [scram, first, wrongFinal],
            [scram, .authentication(.ok)], [scram, first, .readyForQuery(.idle)],
            [scram, wrongFinal], [scram, first, first],
            // Another method once SASL has begun.
            [scram, .authentication(.cleartextPassword)],
            [scram, first, .authentication(.cleartextPassword)],
            [scram, .authentication(.md5Password(salt: [1, 2, 3, 4]))], [scram, scram],
            // A nonce that is not the client's, or adds nothing.
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

    /// A client that went on after an answer too many would give each later answer to another request.
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
        var session = try postgresSession("postgres://md5_user:password@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        var bytes: [UInt8] = []
        ServerMessage.authentication(.md5Password(salt: [1, 2, 3, 4])).append(to: &bytes)
        var buffer = ReceiveBuffer(bytes)
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        let sent = String(decoding: output[.main], as: UTF8.self)
        #expect(sent.hasSuffix("md580a32c6f038b79de232354a2ee7060eb\0"))
    }
}
