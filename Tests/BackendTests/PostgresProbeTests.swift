import BroadcasterPostgres
import BroadcasterTestSupport
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
        session.opened(.main, to: .test, at: now, into: &output)
        _ = try hear(login(process: "43"), &session, &output)
        session.perform(.subscribe([Topic(id: 7, name: .channel("c"))]), at: .now, into: &output)
        _ = try hear(isListening ? listened + listened : listened, &session, &output)
        #expect(output.takeConnections().map(\.lane) == [.probe])
        try session.timeReached(now, into: &output)
        return session
    }

    /// A notification before LISTEN is carried out reaches no connection, and would prove nothing.
    @Test func theProbeWaitsForItsOwnLISTEN() throws {
        var output = SessionOutput()
        let now = Instant.now
        var session = try probing(&output, at: now, isListening: false)
        session.opened(.probe, to: .test, at: now, into: &output)
        output[.probe] = []
        _ = try hear(secondLogin, &session, &output, on: .probe)
        #expect(output[.probe].isEmpty)
        _ = try hear(listened, &session, &output)
        #expect(String(decoding: output[.probe], as: UTF8.self).contains("pg_notify"))
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
        session.opened(.probe, to: .test, at: now, into: &output)
        _ = try hear(secondLogin, &session, &output, on: .probe)
        let channel = "broadcaster_probe_" + nonce.prefix(24)
        let stolen: [ServerMessage] = [
            .parseComplete, .bindComplete, .dataRow([[]]), .commandComplete("SELECT 1"),
            .notification(process: 44, channel: text(channel), payload: text(nonce)), ready,
        ]
        _ = try hear(stolen, &session, &output, on: .probe)
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
        session.opened(.probe, to: .test, at: now, into: &output)
        _ = try hear(secondLogin, &session, &output, on: .probe)
        let done: [ServerMessage] = [
            .parseComplete, .bindComplete, .dataRow([[]]), .commandComplete("SELECT 1"), ready,
        ]
        _ = try hear(done, &session, &output, on: .probe)
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
        session.opened(.main, to: .test, at: now, into: &output)
        // The process is another one than that of the greeting: there is a pooler.
        let events = try hear(login(process: "43"), &session, &output)
        guard case .ready? = events.last else {
            Issue.record("\(events)")
            return
        }
        session.perform(.subscribe([Topic(id: 7, name: .channel("c"))]), at: .now, into: &output)
        let listened: [ServerMessage] = [
            .parseComplete, .bindComplete, .commandComplete("LISTEN"), ready,
        ]
        _ = try hear(listened + listened, &session, &output)
        #expect(output.takeConnections().map(\.lane) == [.probe])
        let loss = session.lost(.probe, .unreachable("refused"), at: now, into: &output)
        #expect(loss == .survived)
        for _ in 0..<10 {
            now += .milliseconds(1)
            try session.timeReached(now, into: &output)
        }
        let subscribed = output.takeEvents().contains { event in
            if case .subscribed(topic: 7, resumedAt: nil) = event { true } else { false }
        }
        #expect(subscribed)
    }
}
