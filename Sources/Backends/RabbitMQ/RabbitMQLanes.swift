package import BroadcasterWire

extension Lane {
    /// The first connection for what is received. The main one publishes: a server that has no memory left does not read
    /// from a connection that publishes, and so would not hear of new channels there. A connection that follows a lost one
    /// has the next number.
    package static let reception = Lane(index: 1)
}
