import BroadcasterWire

/// A session at work: with what it has put out and nobody has taken, and the trace of all that passes. Belongs to the
/// runner's actor.
struct Conversation {
    private var session: any Session
    var output = SessionOutput()
    private let observers: Observers
    private var secrets: [String]
    private let unparsedLimit: Int
    private var isReady = false

    /// - Parameters:
    ///   - secrets: masked in the trace, with the passwords that are looked up.
    ///   - unparsedLimit: the bytes of a lane that may wait for the rest of their message.
    init(_ session: any Session, observers: Observers, secrets: [String], unparsedLimit: Int) {
        self.session = session
        self.observers = observers
        self.secrets = secrets
        self.unparsedLimit = unparsedLimit
    }

    var intake: PublishIntake { session.intake }
    var deadline: Instant? { session.deadline }

    /// Servers see the secrets in a handshake, and some repeat them in an error. All lanes but the main one may log in
    /// at any time.
    private func secrets(on lane: Lane) -> [String] {
        isReady && lane == .main ? [] : secrets
    }

    // MARK: Inputs

    mutating func opened(_ lane: Lane, to peer: PeerInfo, at now: Instant) {
        if let found = peer.password, !found.isEmpty { secrets.append(found) }
        session.opened(lane, to: peer, at: now, into: &output)
    }

    /// Takes the bytes of a lane, of which the last `count` are new.
    mutating func receive(
        _ buffer: inout ReceiveBuffer, count: Int, on lane: Lane, at now: Instant
    ) throws(ProtocolError) {
        observers.trace(received: buffer.bytes.suffix(count), on: lane, secrets(on: lane))
        try session.receive(&buffer, on: lane, at: now, into: &output)
        guard buffer.count <= unparsedLimit else {
            throw ProtocolError("more than \(unparsedLimit) bytes came that are no whole message")
        }
    }

    mutating func wrote(on lane: Lane, at now: Instant) {
        session.wrote(on: lane, at: now)
    }

    mutating func lost(_ lane: Lane, _ failure: LaneFailure, at now: Instant) -> LaneLoss {
        output.discard(lane)
        return session.lost(lane, failure, at: now, into: &output)
    }

    mutating func perform(_ command: Command, at now: Instant) {
        observers.trace?(TranscriptLine.command(command))
        session.perform(command, at: now, into: &output)
    }

    mutating func timeReached(_ now: Instant) throws(ProtocolError) {
        try session.timeReached(now, into: &output)
    }

    mutating func becameReady() {
        isReady = true
    }

    // MARK: Outputs

    /// Hands over the bytes of the lanes that are open. True if there were any.
    mutating func send(on lanes: LaneSet) -> Bool {
        var isSending = false
        let (observers, mainSecrets, otherSecrets) = (observers, isReady ? [] : secrets, secrets)
        output.drainBytes { lane, bytes in
            guard lanes.isOpen(lane) else { return }
            observers.trace(sent: bytes, on: lane, lane == .main ? mainSecrets : otherSecrets)
            lanes.append(&bytes, to: lane)
            isSending = true
        }
        return isSending
    }
}
