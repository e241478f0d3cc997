/// One conversation with a service, as a value: bytes and commands in, bytes and events out.
///
/// A session reads no socket, no clock and no random source, so a recorded transcript replays it exactly.
/// Its life: `opened(.main)` → handshake by `receive` → `.ready` → commands and messages, until it throws, says
/// `.rejected` or `.redirected`, loses a lane that it cannot do without, or the core drops it. After that it is not
/// used again: a new connection begins with a new session.
public protocol Session: Sendable {
    /// Begins on a lane that the core has connected. `.main` is opened by the core, others when the session asks. A lane
    /// that the session has asked to secure is opened once more when it is: then `peer` has its security.
    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput)

    /// Takes more bytes. The session consumes those that it understands and leaves the rest in `buffer`.
    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError)

    /// Notes that the peer has taken bytes that had waited: a sign of life while it cannot answer yet.
    mutating func wrote(on lane: Lane, at now: Instant)

    /// Decides whether the session goes on without `lane`, which could not be connected or has ended. Where it does, it
    /// says what was lost with the lane: `.interrupted` topics, `.publishLost` messages. It may ask for the lane again.
    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss

    /// Carries out a command. The core gives none before `.ready`.
    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput)

    /// Does what is due at `deadline`, which has been reached.
    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError)

    /// The messages to publish that the session takes now. Those that it does not take wait in the core, unsent.
    var intake: PublishIntake { get }

    /// The reason for which `intake` is none, where the server has told one; nil where the connection alone is the reason.
    var hold: String? { get }

    /// The moment of the next `timeReached`.
    var deadline: Instant? { get }
}

/// The number of messages that a session takes to publish.
public enum PublishIntake: Hashable, Sendable {
    case none
    /// All there are, in pieces of any size: they are sent without waiting for answers.
    case pipelined
    /// So many, which belong together: they share a commit, say.
    case batch(Int)
}

extension Session {
    /// All, for protocols that pipeline.
    public var intake: PublishIntake { .pipelined }

    /// None.
    public var hold: String? { nil }

    /// Nothing, for sessions that count no signs of life.
    public mutating func wrote(on lane: Lane, at now: Instant) {}

    /// The end of the session, for those that need each of their lanes.
    public mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss { .ended }
}
