/// A request of the core to a session.
public enum Command: Sendable {
    /// Each topic is answered by `.subscribed` or `.subscriptionRefused`, perhaps after `.postponed`.
    case subscribe([Topic])
    /// Each topic is answered by `.unsubscribed`.
    case unsubscribe([Topic])
    /// Each message is answered by `.published`, `.publishRefused` or `.publishLost` with its ticket.
    case publish([Publication])
    /// Reads from histories. Each request is answered by `.page` or `.pageRefused`. Only backends that keep a history
    /// get it.
    case read([HistoryRequest])
    /// Answered by `.answered`.
    case ping
    /// Says goodbye to the server. Nothing is sent after it.
    case close
}

/// A message on its way to the server. The ticket is the core's, to match the answer.
public struct Publication: Sendable {
    /// The number by which the core knows the answer.
    public let ticket: UInt64
    /// The channel.
    public let channel: String
    /// The content.
    public let payload: Payload
    /// The moment at which its publisher leaves; nil for none. What was not sent until then is better refused, since the
    /// core takes it for sent.
    public let deadline: Instant?

    /// A message to publish, as the core or a test makes it.
    public init(
        ticket: UInt64, channel: String, payload: Payload, deadline: Instant? = nil
    ) {
        self.ticket = ticket
        self.channel = channel
        self.payload = payload
        self.deadline = deadline
    }
}

/// The content of a message, as the caller gave it: a text is not copied before it is encoded.
public enum Payload: Sendable, Hashable {
    case text(String)
    case bytes([UInt8])

    /// The number of bytes.
    public var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        }
    }

    /// The bytes; of a text, its UTF-8.
    public var bytes: [UInt8] {
        switch self {
        case .text(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        }
    }

    /// Appends the bytes.
    public func append(to bytes: inout [UInt8]) {
        switch self {
        case .text(let text): bytes.append(text.utf8.span, 0..<text.utf8.count)
        case .bytes(let payload): bytes.append(contentsOf: payload)
        }
    }
}
