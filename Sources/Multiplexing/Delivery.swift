import BroadcasterWire

/// A place in a subscriber's sequence where messages may be missing.
package enum DeliveryGap: Hashable, Sendable {
    /// The source of the messages was lost, and is there again after this time.
    case connectionLost(reason: String, for: Duration)
    /// The subscriber's mailbox was full, and dropped `lost` messages.
    case overflow(lost: Int)
    /// Something came from the server that could not be made a message of.
    case undeliverable(String)
    /// The server has dropped `lost` messages, for this reason.
    case dropped(lost: Int, String)
    /// The server has dropped messages before they were read: so many, where it can tell.
    case trimmed(lost: Int?)
    /// The channel's history was made anew, or has lost its end.
    case reset
}

/// The next thing in a subscriber's sequence.
package enum Delivery: Sendable {
    case message(DeliveredMessage)
    case gap(DeliveryGap)
    /// Nothing more will come. With an error where the subscription failed.
    case end(SubscriptionFailure?)
}
