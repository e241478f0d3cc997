internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// The options of a `Broadcast`. Those of the URL (`?publish_timeout=2s`) go before those that stand here.
public struct BroadcastOptions: Sendable {
    /// The longest time for `connect()`, and for each later attempt to connect again. Default 5 s.
    public var connectTimeout: Duration = .seconds(5)
    /// The longest wait of `publish` for a connection and for the server's answer. Default 5 s.
    public var publishTimeout: Duration = .seconds(5)
    /// The longest wait of `subscribe` for the server's confirmation. Default 5 s.
    public var subscribeTimeout: Duration = .seconds(5)
    /// The longest wait of `disconnect()` for publishes under way and for the server. Default 500 ms.
    public var shutdownTimeout: Duration = .milliseconds(500)
    /// The longest silence of a connection before the server is asked for a sign of life. Default 10 s;
    /// a dead connection is noticed within this and 5 s more.
    public var pingInterval: Duration = .seconds(10)
    /// The longest wait between two attempts to connect again. Default 2 s: shorter than `publishTimeout`, so that what waits
    /// is sent when the server is back. A call that waits brings the next attempt forward, once in each wait.
    public var longestRetryDelay: Duration = .seconds(2)
    /// The longest message, in bytes, sent or received; at most 512 MiB − 1. nil is the default: 64 MiB, and 16 MiB
    /// over Postgres, which has to cut it into parts, and over RabbitMQ.
    public var maximumMessageSize: Int?
    /// Channels and patterns that may be subscribed at the same time, by all subscribers together. Default 1,000,000;
    /// beyond it `subscribe` throws `.invalid`.
    public var maximumChannels = 1_000_000
    /// Bytes that have come and are no whole message yet; beyond it the connection is given up. nil is the default:
    /// the longest message and 2 MiB.
    public var unparsedBytes: Int?
    /// Bytes that wait for the kernel to take them; beyond it `publish` waits. Default 4 MiB.
    public var unsentBytes = 4 << 20
    /// The behaviour of `connect()` while no server answers: false (the default) throws at once, true waits
    /// for it. A server that answers and refuses is an error either way.
    public var waitsForServer = false
    /// The buffer of a subscription that names none.
    public var buffer = SubscriptionBuffer()
    /// The password for a new connection, called before each: for one that changes, such as a cloud's token that lives for
    /// 15 minutes, or one that is not to stand in a URL. It wins over the URL's; nil leaves that, and the password file,
    /// as they are. It runs outside of the event loop, within `connectTimeout`. What it throws is
    /// `.authenticationFailed`, with the error's description: keep secrets out of that.
    public var password: (@Sendable (ServerAddress) async throws -> String?)?
    /// Called for what is worth a line in a log, on the event loop's thread: be quick.
    public var log: (@Sendable (BroadcastLogEntry) -> Void)?
    /// Called with each line of a transcript (bytes sent and received, events), on the event loop's
    /// thread. Passwords are masked. For debugging: it shows every message.
    public var trace: (@Sendable (String) -> Void)?

    /// The defaults.
    public init() {}

    /// With every number where it makes sense: times from 1 ms to a year, sizes from a byte.
    func clamped() -> BroadcastOptions {
        var options = self
        for time in [
            \BroadcastOptions.connectTimeout, \.publishTimeout, \.subscribeTimeout,
            \.shutdownTimeout, \.pingInterval, \.longestRetryDelay,
        ] {
            options[keyPath: time] = min(
                max(self[keyPath: time], .milliseconds(1)), .seconds(31_536_000))
        }
        options.maximumMessageSize = maximumMessageSize.map { min(max($0, 1), (512 << 20) - 1) }
        options.unsentBytes = max(unsentBytes, 1)
        options.maximumChannels = max(maximumChannels, 1)
        options.unparsedBytes = unparsedBytes.map { max($0, 1 << 16) }
        return options
    }
}

/// The room for messages that wait for a slow subscriber, and the policy for more than that.
public struct SubscriptionBuffer: Hashable, Sendable {
    /// The policy for more messages than the buffer holds. All report a gap to the subscriber where messages are missing.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Overflow: Hashable, Sendable {
        /// `refill` where the server keeps the channels' messages, else `dropOldest`.
        case automatic
        /// Nothing is dropped: what there is no room for is read again from the channel's history when there is. Only where
        /// the server keeps one; a subscriber that stays slower than the server drops old messages gets a gap all the same.
        case refill
        /// The oldest are dropped; a gap comes before the rest.
        case dropOldest
        /// The newest are dropped; a gap comes after the rest.
        case dropNewest
        /// The subscription ends with `.overflow` after what it had.
        case fail
    }

    /// Messages. Default 1,024.
    public var messages: Int
    /// Bytes of messages, and of the channels' names that a pattern matched. Default 8 MiB.
    public var bytes: Int
    /// Default `.automatic`.
    public var overflow: Overflow

    /// A buffer; the smallest has one message and one byte.
    public init(messages: Int = 1024, bytes: Int = 8 << 20, overflow: Overflow = .automatic) {
        self.messages = max(messages, 1)
        self.bytes = max(bytes, 1)
        self.overflow = overflow
    }
}

/// The behaviour of `publish` when the connection is lost after sending and before the answer.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum PublishRetry: Hashable, Sendable {
    /// Throws `.outcomeUnknown`: the message is never sent twice.
    case never
    /// Sends it again until it is accepted: it may come twice, and after messages that were published later. The last
    /// try begins within `publishTimeout` and may take as long itself.
    case atLeastOnce
}

extension MailboxLimits {
    /// - Parameter keepsHistory: whether messages can be read again.
    init(_ buffer: SubscriptionBuffer, keepsHistory: Bool) {
        let overflow: Overflow =
            switch buffer.overflow {
            case .automatic: keepsHistory ? .refill : .dropOldest
            case .refill: .refill
            case .dropOldest: .dropOldest
            case .dropNewest: .dropNewest
            case .fail: .fail
            }
        self.init(messages: buffer.messages, bytes: buffer.bytes, overflow: overflow)
    }
}
