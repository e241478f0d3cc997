package import BroadcasterWire

/// A message as it leaves a mailbox: a view into the block that it came in.
package struct DeliveredMessage: Sendable {
    private let block: MessageBlock
    private let run: Int32
    private let length: Int32
    private let start: Int

    init(block: MessageBlock, run: Int32, range: Range<Int>) {
        self.block = block
        self.run = run
        start = range.lowerBound
        length = Int32(truncatingIfNeeded: range.count)
    }

    package var origin: Origin { block.origin(ofRun: Int(run)) }
    package var bytes: ArraySlice<UInt8> { block.storage[start..<start + count] }
    package var count: Int { Int(length) }
}

/// A place in a subscriber's sequence where messages may be missing.
package enum Hole: Hashable, Sendable {
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
    case hole(Hole)
    /// Nothing more will come. With an error where the subscription failed.
    case end(SubscriptionFailure?)
}

/// Why a subscription ended, or could not begin.
package enum SubscriptionFailure: Error, Hashable, Sendable {
    /// The server refused the channel or pattern.
    case refused(topic: TopicName, Rejection)
    /// The mailbox was full, and its policy is to fail then.
    case overflow(lost: Int)
    /// There would be more channels and patterns than the limit.
    case tooManyTopics(limit: Int)
    /// Not confirmed before the deadline.
    case timedOut
    case cancelled
    /// The broadcast is not connected, or no more.
    case closed
}

/// How much a subscriber's mailbox holds, and what happens then.
package struct MailboxLimits: Hashable, Sendable {
    package enum Overflow: Hashable, Sendable {
        case dropOldest
        case dropNewest
        case fail
    }

    package var messages: Int
    package var bytes: Int
    package var overflow: Overflow

    package init(messages: Int, bytes: Int, overflow: Overflow) {
        self.messages = messages
        self.bytes = bytes
        self.overflow = overflow
    }
}
