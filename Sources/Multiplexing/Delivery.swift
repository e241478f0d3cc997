import BroadcasterWire

/// A place in a subscriber's sequence where messages may be missing.
package enum DeliveryGap: Hashable, Sendable {
    /// The connection was lost, and is there again after `seconds`.
    case connectionLost(reason: String, for: Duration)
    /// The subscriber's mailbox was full, and `lost` messages fell.
    case overflow(lost: Int)
    /// Something came from the server that could not be made a message of.
    case undeliverable(String)
}

/// What a subscriber gets next.
package enum Delivery: Sendable {
    case message(DeliveredMessage)
    case gap(DeliveryGap)
    /// Nothing more will come. With an error where the subscription failed.
    case end(SubscriptionFailure?)
}
