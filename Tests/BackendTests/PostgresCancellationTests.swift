import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// A statement that the server does not get done: it waits for the lock of NOTIFY, say.
@Suite(.timeLimit(.minutes(1)))
struct PostgresCancellationTests: PostgresConversation {
    private func publishing(
        _ texts: [String], _ output: inout SessionOutput
    ) throws -> any Session {
        var session = try postgresSession("postgres://user@h/d", nonce: nonce)
        session.opened(.main, to: .test, at: .now, into: &output)
        _ = try hear(login(process: "42"), &session, &output)
        let publications = texts.enumerated().map {
            Publication(ticket: UInt64($0.offset), channel: "c", payload: .text($0.element))
        }
        session.perform(.publish(publications), at: .now, into: &output)
        return session
    }

    private let cancelled = ServerMessage.errorResponse(
        ServerError(severity: "ERROR", code: "57014", message: "canceling statement"))

    /// Lets the time pass in which nothing comes, until the session asks for a lane.
    private func waitForWish(
        _ session: inout any Session, _ output: inout SessionOutput
    ) throws -> [SessionOutput.Connection] {
        for _ in 0..<20 {
            guard let due = session.deadline else { break }
            try session.timeReached(due, into: &output)
            let wishes = output.takeConnections()
            if !wishes.isEmpty { return wishes }
        }
        return []
    }

    @Test func itIsCancelledOnALaneOfItsOwn() throws {
        var output = SessionOutput()
        var session = try publishing(["one", "two"], &output)
        let wishes = try waitForWish(&session, &output)
        #expect(wishes.map(\.lane) == [.cancellation])
        #expect(wishes.map(\.isLogin) == [false])
        session.opened(.cancellation, to: .test, at: .now, into: &output)
        let sent = output[.cancellation]
        #expect(
            try ClientMessage(startup: sent[4...]) == .cancel(process: 42, key: [1, 2, 3, 4]))
        #expect(output.takeFinished() == [.cancellation])
        // The connection lives, all of the group are refused for now, and nothing is sent again.
        output[.main] = []
        let events = try hear([cancelled, ready], &session, &output)
        let kinds = events.map { event -> Rejection.Kind? in
            if case .publishRefused(_, let rejection) = event { rejection.kind } else { nil }
        }
        #expect(kinds == [.temporary, .temporary])
        #expect(output[.main].isEmpty)
        #expect(session.intake != .none)
    }

    /// Those that wait behind it wait for the same, and get a shorter time.
    @Test func theNextOneIsCancelledSooner() throws {
        var output = SessionOutput()
        var session = try publishing(["same", "same", "same"], &output)
        for place in 0..<3 {
            #expect(try waitForWish(&session, &output).map(\.lane) == [.cancellation])
            #expect(session.lost(.cancellation, .lost("x"), at: .now, into: &output) == .survived)
            let before = Instant.now
            _ = try hear([cancelled, ready], &session, &output)
            let next = session.deadline.map { $0 - before } ?? .zero
            #expect(place == 2 || next < .seconds(1), "\(place)")
        }
    }

    /// A server that is asked for nothing and is silent is dead, and there is nothing to cancel.
    @Test func silenceAloneIsNoReason() throws {
        var output = SessionOutput()
        var session = try publishing([], &output)
        #expect(throws: ProtocolError.self) {
            for _ in 0..<30 {
                guard let due = session.deadline else { break }
                try session.timeReached(due, into: &output)
                #expect(output.takeConnections().isEmpty)
            }
        }
    }

    /// 57014 without a request of ours is somebody else's, such as `statement_timeout`: the others are sent again.
    @Test func anotherOnesCancellationIsAnErrorLikeOthers() throws {
        var output = SessionOutput()
        var session = try publishing(["one", "two"], &output)
        output[.main] = []
        #expect(try hear([cancelled, ready], &session, &output).isEmpty)
        #expect(!output[.main].isEmpty)
    }

    /// What nobody waits for any more does not go on after goodbye.
    @Test func itIsCancelledAtTheEnd() throws {
        var output = SessionOutput()
        var session = try publishing(["one"], &output)
        session.perform(.close, at: .now, into: &output)
        #expect(output.takeConnections().map(\.lane) == [.cancellation])
        var idle = try publishing([], &output)
        idle.perform(.close, at: .now, into: &output)
        #expect(output.takeConnections().isEmpty)
    }
}
