import BroadcasterWire

/// A session at work: with what it has put out and nobody has taken, and the trace of all that passes. An object, since
/// each look at an optional value of this size would copy it. Belongs to the
/// runner's actor.
final class Conversation {
    private var session: any Session
    var output = SessionOutput()
    private let observers: Observers
    /// The texts that the trace masks, with the passwords that were looked up.
    private var secrets: [String]
    /// The bytes of a lane that may wait for the rest of their message.
    private let unparsedLimit: Int
    private var isReady = false
    /// The moment at which each lane that is there last brought a sign of its server.
    private var heard = LaneTable<Instant>()

    init(with backend: any Backend, observers: Observers, _ limits: ConnectionLimits) {
        session = backend.makeSession()
        secrets = backend.secrets
        unparsedLimit = limits.unparsedBytes
        self.observers = observers
    }

    var intake: PublishIntake { session.intake }
    var hold: String? { session.hold }
    var deadline: Instant? { session.deadline }

    /// Servers see the secrets in a handshake, and some repeat them in an error. All lanes but the main one may log in
    /// at any time.
    private func secrets(on lane: Lane) -> [String] {
        isReady && lane == .main ? [] : secrets
    }

    /// The moment since which messages may be missing when all is lost: the first at which a lane fell silent.
    var heardOnAll: Instant? {
        var first: Instant?
        heard.forEach { _, moment in first = min(first ?? moment, moment) }
        return first
    }

    // MARK: Inputs

    func opened(_ lane: Lane, to peer: PeerInfo, at now: Instant) {
        if let found = peer.password, !found.isEmpty, !secrets.contains(found) {
            secrets.append(found)
        }
        if let warning = peer.security?.warning { observers.log(.unverified(warning)) }
        heard[lane] = now
        session.opened(lane, to: peer, at: now, into: &output)
    }

    /// Takes the bytes of a lane, of which the last `count` are new.
    func receive(
        _ buffer: inout ReceiveBuffer, count: Int, on lane: Lane, at now: Instant
    ) throws(ProtocolError) {
        heard[lane] = now
        output.time = now
        observers.trace(received: buffer.bytes.suffix(count), on: lane, secrets(on: lane))
        if !isReady { try Conversation.checkForTLS(buffer) }
        try session.receive(&buffer, on: lane, at: now, into: &output)
        guard buffer.count <= unparsedLimit else {
            throw ProtocolError("more than \(unparsedLimit) bytes came that are no whole message")
        }
    }

    /// Recognizes an alert of TLS (RFC 8446 §5.1: type 21, version 3.x) in what a server sends first: it was spoken to in
    /// plain text on its port for TLS. No protocol here begins so.
    private static func checkForTLS(_ buffer: ReceiveBuffer) throws(ProtocolError) {
        guard buffer.streamOffset(of: buffer.start) == 0,
            buffer.bytes[buffer.start...].starts(with: [0x15, 0x03])
        else { return }
        throw ProtocolError("the server speaks TLS there, and the URL does not ask for it")
    }

    func wrote(on lane: Lane, at now: Instant) {
        session.wrote(on: lane, at: now)
    }

    func lost(_ lane: Lane, _ failure: LaneFailure, at now: Instant) -> LaneLoss {
        output.discard(lane)
        // The end of a connection is a sign too: until then its server was there.
        if case .lost = failure { heard[lane] = now }
        let loss = session.lost(lane, failure, at: now, into: &output)
        if loss == .survived { heard[lane] = nil }
        return loss
    }

    func perform(_ command: Command, at now: Instant) {
        observers.trace?(TranscriptLine.command(command))
        output.time = now
        session.perform(command, at: now, into: &output)
    }

    func timeReached(_ now: Instant) throws(ProtocolError) {
        output.time = now
        try session.timeReached(now, into: &output)
    }

    func becameReady() {
        isReady = true
    }

    // MARK: Outputs

    /// Takes the lanes that the session has no more use for.
    func takeFinished() -> [Lane] {
        let lanes = output.takeFinished()
        for lane in lanes { heard[lane] = nil }
        return lanes
    }

    /// Hands over the bytes of the lanes that are open. True if there were any.
    func send(on lanes: LaneSet) -> Bool {
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
