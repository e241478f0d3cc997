import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Answers to LISTEN other than yes.
@Suite(.timeLimit(.minutes(1)))
struct PostgresListenTests: PostgresConversation {
    private func listening(
        _ names: [String], process: String = "42", _ output: inout SessionOutput
    ) throws -> any Session {
        var session = try postgresSession("postgres://user@h/d", nonce: nonce)
        session.opened(.main, to: .test, at: .now, into: &output)
        _ = try hear(login(process: process), &session, &output)
        let topics = names.enumerated().map { Topic(id: $0.offset, name: .channel($0.element)) }
        session.perform(.subscribe(topics), at: .now, into: &output)
        return session
    }

    private func error(_ code: String) -> ServerMessage {
        .errorResponse(ServerError(severity: "ERROR", code: code, message: "text"))
    }

    /// The user may have no right to notify, and need none.
    @Test func withoutAPoolerTheServersWordIsEnough() throws {
        var output = SessionOutput()
        var session = try listening(["c"], &output)
        output[.main] = []
        let events = try hear(listened, &session, &output)
        guard case .subscribed(topic: 0, resumedAt: nil)? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(output[.main].isEmpty)
        #expect(output.takeConnections().isEmpty)
    }

    /// What may pass ends the connection; the core comes again and asks for all channels.
    @Test(arguments: [
        "57014", "55P03", "XX000", "25P02", "40001", "40P01", "53200", "58030", "57P01", "25006",
    ])
    func anErrorThatPassesEndsNoSubscription(code: String) throws {
        var output = SessionOutput()
        var session = try listening(["c"], &output)
        let events = try hear([.parseComplete, error(code), ready], &session, &output)
        guard case .rejected(let rejection)? = events.first, events.count == 1 else {
            Issue.record("\(events)")
            return
        }
        #expect(rejection.kind == (code == "25006" ? .unsuitable : .temporary))
    }

    /// A refusal of the channel itself is final; what says nothing of the channel is this connection's alone.
    @Test(arguments: [
        ("42501", Rejection.Kind.permission), ("42601", .permanent), ("0A000", .permanent),
        ("22P05", .permanent), ("22021", .permanent), ("XX001", .unsuitable),
        ("55000", .unsuitable), ("P0001", .unsuitable), ("ZZ999", .unsuitable),
    ])
    func onlyARefusalOfTheChannelIsFinal(code: String, kind: Rejection.Kind) throws {
        var output = SessionOutput()
        var session = try listening(["c"], &output)
        let events = try hear([.parseComplete, error(code), ready], &session, &output)
        guard case .subscriptionRefused(topic: 0, let rejection)? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(rejection.kind == kind)
    }

    /// A server in another encoding cuts names of fewer than 63 bytes, and says so while it parses.
    @Test(arguments: 0..<3)
    func aNameThatIsCutIsRefusedAndTheOthersAreNot(place: Int) throws {
        var output = SessionOutput()
        var session = try listening(["a", "b", "c"], &output)
        let notice = ServerMessage.noticeResponse(
            ServerError(severity: "NOTICE", code: "42622", message: "identifier will be truncated"))
        let done: [ServerMessage] = [
            .parseComplete, .bindComplete, .commandComplete("LISTEN"),
        ]
        let answers = (0..<3).flatMap { $0 == place ? [notice] + done : done }
        var subscribed: [Int] = []
        var refused: [Int] = []
        for event in try hear(answers + [ready], &session, &output) {
            switch event {
            case .subscribed(let topic, _): subscribed.append(topic)
            case .subscriptionRefused(let topic, let rejection):
                #expect(rejection.message.contains("42622"))
                refused.append(topic)
            default: Issue.record("\(event)")
            }
        }
        #expect(refused == [place])
        #expect(subscribed == [0, 1, 2].filter { $0 != place })
    }

    private let secondLogin: [ServerMessage] = [
        .authentication(.ok), .parameterStatus(name: "client_encoding", value: "UTF8"),
        .backendKeyData(process: 44, key: [5, 6, 7, 8]), .readyForQuery(.idle),
    ]

    /// Behind a pooler: an error of the probe's own statement says nothing of the pooler, whatever it is.
    @Test(arguments: ["42501", "54000", "55P03", "57014", "XX000", "25006"])
    func aProbeThatCannotBeSentIsNoProof(code: String) throws {
        var output = SessionOutput()
        var session = try listening(["c"], process: "43", &output)
        #expect(try hear(listened + listened, &session, &output).isEmpty)
        #expect(output.takeConnections().map(\.lane) == [.probe])
        session.opened(.probe, to: .test, at: .now, into: &output)
        _ = try hear(secondLogin + [.parseComplete, error(code)], &session, &output, on: .probe)
        try session.timeReached(.now, into: &output)
        #expect(isSubscribed(output.takeEvents()))
    }

    /// The same, where LISTEN on the probe's channel fails.
    @Test func aProbeThatCannotListenIsNoProof() throws {
        var output = SessionOutput()
        var session = try listening(["c"], process: "43", &output)
        _ = try hear(listened + [error("57014"), ready], &session, &output)
        try session.timeReached(.now, into: &output)
        #expect(isSubscribed(output.takeEvents()))
    }

    private func isSubscribed(_ events: [Event]) -> Bool {
        events.contains { event in
            if case .subscribed(topic: 0, _) = event { true } else { false }
        }
    }
}
