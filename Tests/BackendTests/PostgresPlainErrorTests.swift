import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let notice = ServerMessage.noticeResponse(
    ServerError(severity: "NOTICE", code: "00000", message: "x"))

/// Errors of a postmaster that has no process to speak the protocol: 'E', a text and NUL.
@Suite(.timeLimit(.minutes(1)))
struct PostgresPlainErrorTests: PostgresConversation {
    private let text = "could not fork new process for connection: Resource temporarily unavailable"

    private func session(_ output: inout SessionOutput) throws -> any Session {
        var session = try postgresSession("postgres://user@h/d", nonce: nonce)
        session.opened(.main, to: .test, at: .now, into: &output)
        return session
    }

    @Test(arguments: Feed.allCases)
    func theTextIsToldAndTheStateIsTemporary(feed: Feed) throws {
        var output = SessionOutput()
        var session = try session(&output)
        var buffer = ReceiveBuffer()
        for piece in feed.pieces(of: Array("E\(text)\n\0".utf8)) {
            buffer.append(piece)
            try session.receive(&buffer, on: .main, at: .now, into: &output)
        }
        let events = output.takeEvents()
        guard case .rejected(let rejection)? = events.first, events.count == 1 else {
            Issue.record("\(events)")
            return
        }
        #expect(rejection == Rejection(kind: .temporary, message: text))
    }

    /// It can only be the first answer, has an end, and is told from an error in a frame by a length that none has.
    @Test(arguments: [
        ([notice], Array("Etext and more\0".utf8)), ([], Array("E".utf8) + [0, 0, 0, 3, 0]),
        ([], Array("E\u{7f}xyz".utf8) + [UInt8](repeating: 120, count: 40_000)),
        ([], Array("N what is this\0".utf8)),
    ])
    func allElseIsAViolation(before: [ServerMessage], bytes: [UInt8]) throws {
        var output = SessionOutput()
        var session = try session(&output)
        var all: [UInt8] = []
        for message in before { message.append(to: &all) }
        var buffer = ReceiveBuffer(all + bytes)
        #expect(throws: ProtocolError.self) {
            try session.receive(&buffer, on: .main, at: .now, into: &output)
        }
    }
}
