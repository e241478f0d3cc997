import BroadcasterPostgres
import BroadcasterWire
import Testing

/// The probe that finds a pooler in transaction mode.
@Suite(.timeLimit(.minutes(1)))
struct PostgresProbeTests: PostgresConversation {
    /// A session behind a pooler, whose probe waits for its second connection.
    private func probing(
        _ output: inout SessionOutput, at now: Instant, isListening: Bool = true
    ) throws -> any Session {
        var session = try postgresSession("postgres://user@h/d", nonce: nonce)
        session.opened(.main, at: now, into: &output)
        _ = try hear(login(process: "43"), &session, &output)
        session.perform(.subscribe([Topic(id: 7, name: .channel("c"))]), into: &output)
        _ = try hear(isListening ? listened + listened : listened, &session, &output)
        #expect(output.takeWantedLanes() == [.subscriber])
        try session.timeReached(now, into: &output)
        return session
    }

    /// A notification before LISTEN is carried out reaches no connection, and would prove nothing.
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

    /// The sure sign of a pooler in transaction mode: another connection gets the notifications of this one.
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

    /// After 3 s for the second connection, a notification may take longer than 2 s: a busy machine is no pooler.
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

    /// The loss of the probe's connection loses nothing else.
    @Test func aPoolerWithoutASecondConnectionIsBelieved() throws {
        var session = try postgresSession("postgres://user@h/d", nonce: nonce)
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
}
