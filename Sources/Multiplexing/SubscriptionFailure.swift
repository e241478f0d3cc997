package import BroadcasterWire

/// Why a subscription ended, or could not begin.
package enum SubscriptionFailure: Error, Hashable, Sendable {
    /// The server refused the channel or pattern.
    case refused(topic: TopicName, Rejection)
    /// The mailbox was full, and its policy is to fail then.
    case overflow(lost: Int)
    /// There would be more channels and patterns than the limit.
    case tooManyTopics(limit: Int)
    /// Not confirmed before the deadline, by a server whose connection has held.
    case timedOut
    /// Not confirmed before the deadline, since there was no connection, or it ended meanwhile; and why.
    case down(String)
    case cancelled
    /// A channel cannot be added to a subscription that is over.
    case ended
    /// The broadcast is not connected, or no more.
    case closed
}
