internal import BroadcasterMultiplexing

/// A snapshot of what a `Broadcast` has done since it was made.
public struct BroadcastStatistics: Hashable, Sendable {
    /// Messages that the server has accepted.
    public let published: Int
    /// Messages that came from the server, each counted once however many subscribers it has.
    public let received: Int
    /// Messages that subscribers have taken.
    public let delivered: Int
    /// Messages that were dropped because a subscriber's buffer was full.
    public let dropped: Int
    /// Messages that wait in subscribers' buffers.
    public let waiting: Int
    /// Times that the connection was re-established.
    public let reconnects: Int
    /// Subscriptions in this process.
    public let subscribers: Int
    /// Different channels and patterns that they have together.
    public let channels: Int
    /// Those of them that no server delivers now: the connection is lost, or their node of a cluster is, or they are being
    /// asked for.
    public let unserved: Int

    /// A snapshot of the caller's numbers, for tests of what a program does with it.
    public init(
        published: Int = 0, received: Int = 0, delivered: Int = 0, dropped: Int = 0,
        waiting: Int = 0, reconnects: Int = 0, subscribers: Int = 0, channels: Int = 0,
        unserved: Int = 0
    ) {
        self.published = published
        self.received = received
        self.delivered = delivered
        self.dropped = dropped
        self.waiting = waiting
        self.reconnects = reconnects
        self.subscribers = subscribers
        self.channels = channels
        self.unserved = unserved
    }
}

extension BroadcastStatistics: CustomStringConvertible {
    /// The counts in one line.
    public var description: String {
        "\(published) published, \(received) received, \(delivered) delivered, \(dropped) dropped,"
            + " \(waiting) waiting, \(reconnects) reconnects, \(subscribers) subscribers,"
            + " \(channels) channels"
            + (unserved > 0 ? ", \(unserved) of them without a server" : "")
    }
}
