import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct PostgresPublishTests: PostgresConversation {
    /// A pooler without prepared statements: the session sends all publishes by name again, and none is refused.
    @Test func publishesGoOnWithoutThePreparedStatement() throws {
        var session = try postgresSession("postgres://user@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        _ = try hear(login(process: "42"), &session, &output)
        // Equal, so each in a transaction of its own, all on their way at once.
        let publications = (0..<3).map {
            Publication(ticket: UInt64($0), channel: "c", payload: .text("same"))
        }
        session.perform(.publish(publications), at: .now, into: &output)
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
            var session = try postgresSession("postgres://user@h/d", nonce: nonce)
            var output = SessionOutput()
            session.opened(.main, to: .test, at: .now, into: &output)
            _ = try hear(login(process: "42"), &session, &output)
            let one = Publication(ticket: 0, channel: "c", payload: .text("x"))
            session.perform(.publish([one]), at: .now, into: &output)
            #expect(throws: ProtocolError.self) { try hear(answer, &session, &output) }
        }
    }

    /// A later group waits for one whose members may have to be sent again.
    @Test func aGroupThatFailsDoesNotFallBehind() throws {
        var session = try postgresSession("postgres://user@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        _ = try hear(login(process: "42"), &session, &output)
        let texts = ["1", "2", String(repeating: "3", count: 9000), "4", "5"]
        let publications = texts.enumerated().map {
            Publication(ticket: UInt64($0.offset), channel: "c", payload: .text($0.element))
        }
        session.perform(.publish(publications), at: .now, into: &output)
        let wrong = ServerMessage.errorResponse(
            ServerError(severity: "ERROR", code: "22P05", message: "no such character"))
        let done: [ServerMessage] = [
            .bindComplete, .dataRow([[]]), .commandComplete("SELECT 1"), ready,
        ]
        var order: [UInt64] = []
        var answer = [wrong, ready]
        for _ in 0..<10 where session.intake == .none {
            for event in try hear(answer, &session, &output) {
                guard case .published(let acceptance) = event else { continue }
                order += (0..<acceptance.count).map { acceptance.firstTicket + UInt64($0) }
            }
            answer = done
        }
        #expect(order == [0, 1, 2, 3, 4])
        #expect(session.intake != .none)
    }
}
