/// One of the connections of a session.
///
/// Most sessions use `.main` alone. RESP2 forbids PUBLISH on a subscribed connection and needs two.
package struct Lane: Hashable, Sendable {
    package let index: Int

    package init(index: Int) {
        self.index = index
    }

    /// The first connection, which the core opens by itself.
    package static let main = Lane(index: 0)
    /// A second connection for what the server pushes, where the protocol keeps that apart.
    package static let subscriber = Lane(index: 1)
}

/// One conversation with a server, as a value: bytes and commands in, bytes and events out.
///
/// It reads no socket, no clock and no random source, so a recorded transcript replays it exactly.
/// Its life: `opened(.main)` → handshake by `receive` → `.ready` → commands and messages, until it
/// throws or the core drops it. A session is never re-used after a lost connection.
package protocol Session: Sendable {
    /// The core has connected `lane`. `.main` is opened by the core, others as the session asks.
    mutating func opened(_ lane: Lane, at now: Instant, into output: inout SessionOutput)

    /// More bytes have come. The session consumes what it can and leaves the rest in `buffer`.
    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, into output: inout SessionOutput
    ) throws(ProtocolError)

    /// The peer has taken bytes that had waited: a sign of life while it cannot answer yet.
    mutating func wrote(on lane: Lane)

    /// `lane`, which is not `.main`, could not be connected or has ended. False if the session cannot go on without.
    mutating func lost(_ lane: Lane, into output: inout SessionOutput) -> Bool

    /// A command of the core's. Only sent after `.ready`.
    mutating func perform(_ command: Command, into output: inout SessionOutput)

    /// `deadline` has been reached.
    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError)

    /// How many messages the session takes now. What it does not take waits in the core, unsent.
    var publishCapacity: Int { get }

    /// When the session next wants `timeReached`.
    var deadline: Instant? { get }
}

extension Session {
    /// Protocols that pipeline take all there is.
    package var publishCapacity: Int { .max }

    /// Who needs no signs of life.
    package mutating func wrote(on lane: Lane) {}

    /// Few have a lane that they can do without.
    package mutating func lost(_ lane: Lane, into output: inout SessionOutput) -> Bool { false }
}
