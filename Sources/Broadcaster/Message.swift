internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// A message that was published to a channel.
public struct Message: Sendable {
    private let delivered: DeliveredMessage

    init(_ delivered: DeliveredMessage) {
        self.delivered = delivered
    }

    /// The channel that it was published to. Bytes of its name that are not UTF-8 become U+FFFD; see `validChannel`.
    public var channel: String { delivered.origin.channel }

    /// The channel's name, or nil where it is not UTF-8: then `channelBytes` tells it from others.
    public var validChannel: String? {
        delivered.origin.binaryName == nil ? delivered.origin.channel : nil
    }

    /// The channel's name as it was published to. A copy is made at each call.
    public var channelBytes: [UInt8] { delivered.origin.channelBytes }

    /// The pattern that matched, where the subscription is to a pattern.
    public var pattern: String? { delivered.origin.pattern }

    /// The message as text. Bytes that are not UTF-8 become U+FFFD; see `validText`.
    public var text: String { String(decoding: delivered.bytes, as: UTF8.self) }

    /// The message as text, or nil where it is not UTF-8.
    public var validText: String? { String(validating: delivered.bytes, as: UTF8.self) }

    /// The message as it was published. A copy is made at each call.
    public var bytes: [UInt8] { Array(delivered.bytes) }

    /// Its place in its channel's history, where the server keeps one.
    public var position: MessagePosition? { delivered.position.map { MessagePosition($0) } }

    /// The number of its bytes.
    public var count: Int { delivered.count }
}

/// A place in the sequence of messages where some may be missing.
///
/// It stands after the last message before the loss and before the first one after it.
public struct Gap: Hashable, Sendable {
    /// The reason for which messages may be missing.
    public enum Reason: Hashable, Sendable {
        /// The connection was lost, and all channels are subscribed again. `description` says how it
        /// was lost.
        case reconnected(after: Duration, description: String)
        /// The subscriber was slower than its channels, and its buffer was full.
        case overflow
        /// Something came from the server that could not be made a message of; `description` says what.
        case incomplete(description: String)
        /// The server has dropped messages from the channel's history before they were read here.
        case trimmed
        /// The channel's history was made anew, or has lost its end: a server took over that lagged behind, say.
        case reset
    }

    /// The reason for which messages may be missing.
    public let reason: Reason
    /// The number of messages that are missing, where that is known.
    public let lost: Int?

    init(_ gap: DeliveryGap) {
        switch gap {
        case .connectionLost(let description, let duration):
            reason = .reconnected(after: duration, description: description)
            lost = nil
        case .overflow(let number):
            reason = .overflow
            lost = number
        case .undeliverable(let description):
            reason = .incomplete(description: description)
            lost = nil
        case .dropped(let number, let description):
            reason = .incomplete(description: description)
            lost = number
        case .trimmed(let number):
            reason = .trimmed
            lost = number
        case .reset:
            reason = .reset
            lost = nil
        }
    }
}

/// An element of `Subscription.events`.
public enum SubscriptionEvent: Sendable {
    /// A message.
    case message(Message)
    /// Messages may be missing here.
    case gap(Gap)
}
