internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// A message that was published to a channel.
///
/// Two are equal if their channels, patterns and bytes are, whenever they were received.
public struct Message: Sendable {
    private let delivered: DeliveredMessage

    init(_ delivered: DeliveredMessage) {
        self.delivered = delivered
    }

    /// A message of text as if it had been received, for tests of what a program does with it.
    public init(
        _ text: String, channel: String, pattern: String? = nil,
        receivedAt moment: ContinuousClock.Instant = .now
    ) {
        self.init(.text(text), channel, pattern, moment)
    }

    /// A message of bytes as if it had been received, for tests of what a program does with it.
    public init(
        _ bytes: [UInt8], channel: String, pattern: String? = nil,
        receivedAt moment: ContinuousClock.Instant = .now
    ) {
        self.init(.bytes(bytes), channel, pattern, moment)
    }

    private init(
        _ payload: Payload, _ channel: String, _ pattern: String?,
        _ moment: ContinuousClock.Instant
    ) {
        let origin = Origin(channel: channel, pattern: pattern)
        delivered = DeliveredMessage(payload, from: origin, at: Instant(moment))
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

    /// The message as it was published. A copy is made at each call; `withBytes` makes none.
    public var bytes: [UInt8] { Array(delivered.bytes) }

    /// Calls `body` with the message's bytes where they are, without a copy. They must not be kept for after the call.
    ///
    /// - Throws: what `body` throws.
    public func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(delivered.bytes.span)
    }

    /// Its place in its channel's history, where the server keeps one.
    public var position: MessagePosition? { delivered.position.map { MessagePosition($0) } }

    /// The number of its bytes.
    public var count: Int { delivered.count }

    /// The time at which its last byte was read from the connection, which may be long before a slow subscriber takes it:
    /// `message.receivedAt.duration(to: .now)` is how long it has waited here.
    public var receivedAt: ContinuousClock.Instant { delivered.receivedAt.onClock }
}

extension Message: Hashable {
    /// True if channel, pattern and bytes are equal.
    public static func == (one: Message, other: Message) -> Bool {
        one.channelBytes == other.channelBytes && one.pattern == other.pattern
            && one.delivered.bytes == other.delivered.bytes
    }

    /// Hashes what `==` compares.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(channelBytes)
        hasher.combine(pattern)
        hasher.combine(delivered.bytes)
    }
}

extension Message: CustomStringConvertible {
    private static let longestShown = 500

    /// Such as `chatroom: hello`; a long text is cut, and of bytes that are no text their number is told.
    public var description: String {
        guard let text = validText else { return "\(channel): \(count) bytes that are not UTF-8" }
        guard count > Message.longestShown else { return "\(channel): \(text)" }
        return "\(channel): \(text.prefix(Message.longestShown))… (\(count) bytes)"
    }
}

/// A place in the sequence of messages where some may be missing.
///
/// It stands after the last message before the loss and before the first one after it.
public struct Gap: Hashable, Sendable {
    /// The reason for which messages may be missing.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
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

    /// A gap as if it had been received, for tests of what a program does with it.
    public init(_ reason: Reason, lost: Int? = nil) {
        self.reason = reason
        self.lost = lost
    }

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

extension Gap: CustomStringConvertible {
    /// The gap in words, for a log.
    public var description: String {
        switch reason {
        case .reconnected(let time, let description):
            "messages of \(time.text) may be missing: the connection was lost (\(description))"
        case .overflow:
            "\(lost.map { "\($0) messages" } ?? "messages") dropped: the subscriber was slower than its buffer"
        case .incomplete(let description): "a message is missing: \(description)"
        case .trimmed:
            "\(lost.map { "\($0) messages" } ?? "messages") missing: the server had dropped them from its history"
        case .reset: "messages may be missing: the channel's history was made anew"
        }
    }
}

/// An element of `Subscription.events`. There are these two, and will be no others.
public enum SubscriptionEvent: Hashable, Sendable {
    /// A message.
    case message(Message)
    /// Messages may be missing here.
    case gap(Gap)
}

extension SubscriptionEvent: CustomStringConvertible {
    /// The message's or the gap's.
    public var description: String {
        switch self {
        case .message(let message): message.description
        case .gap(let gap): "gap: \(gap)"
        }
    }
}
