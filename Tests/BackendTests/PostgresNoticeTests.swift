import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Notices and warnings, which a server sends at any time.
@Suite(.timeLimit(.minutes(1)))
struct PostgresNoticeTests: PostgresConversation {
    /// The client reads, cuts and forgets notices, however many and however long.
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

    /// A queue of NOTIFY half full, among others: the operator of the server should know.
    @Test func warningsAreToldAndNoticesAreNot() throws {
        var session = try postgresSession("postgres://user@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
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
}
