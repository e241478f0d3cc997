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
}
