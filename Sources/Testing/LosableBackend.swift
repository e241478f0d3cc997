internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// `memory://` as if behind a server: a session of it speaks on a lane that a test can lose.
struct LosableBackend: Backend {
    let inner: any Backend
    let connection: MemoryConnection

    static let endpoint = Endpoint.unix(path: "memory")

    var endpoints: [Endpoint] { [LosableBackend.endpoint] }
    var secrets: [String] { [] }

    func makeSession() -> any Session {
        LosableSession(inner: inner.makeSession(), connection: connection)
    }

    func refusal(of topic: TopicName) -> String? { inner.refusal(of: topic) }

    func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        inner.refusal(ofPublishing: payload, to: channel)
    }
}

/// Passes everything on to the session in memory, but for a message whose answer is to be lost.
private struct LosableSession: Session {
    var inner: any Session
    let connection: MemoryConnection

    var deadline: Instant? { nil }

    /// One at a time, so that a connection that is lost before an answer is lost before the messages behind it.
    var intake: PublishIntake { .batch(1) }

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        inner.opened(lane, to: peer, at: now, into: &output)
    }

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {}

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {}

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        switch command {
        case .publish where connection.losesAnswer(): break
        // As a server answers a goodbye.
        case .close: connection.hangUp()
        default: inner.perform(command, at: now, into: &output)
        }
    }
}
