internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// A subscriber's sequence of messages, in the order in which the server sent them.
///
/// Iterate over the subscription itself for messages alone, or over `events` to see also where messages may
/// be missing. Both take from the same buffer; a new loop goes on where the last one stopped. Two loops at the same time
/// split the messages between them: for two readers, subscribe twice. The sequence ends when the task is cancelled, after `cancel()`, and after `disconnect()` when what was
/// received before is delivered. It throws where the server withdraws the channel, or when its
/// buffer is full and the policy is `.fail`.
///
/// The server is asked to unsubscribe when the last subscriber of a channel is cancelled or released.
public final class Subscription: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = Message
    /// The only type of error that iterating throws.
    public typealias Failure = BroadcastError

    /// The channels that it has. Bytes of a name that are not UTF-8 are U+FFFD. Changes with `add` and `remove`, and stays
    /// as it is at the end.
    public var channels: [String] { membership.names(arePatterns: false) }
    /// The patterns that it has. Changes with `add` and `remove`, and stays as it is at the end.
    public var patterns: [String] { membership.names(arePatterns: true) }
    /// The places at which it began, by channel, where the server keeps the channels' messages: known before the first
    /// message comes, and for channels that were added when `add` returns. `.after(…)` one of them begins there again. Without
    /// those channels whose first message is there already, as with `.last(n)` and `.all`: it has a position itself.
    public var startPositions: [String: MessagePosition] { membership.startPositions }
    private let mailbox: Mailbox
    let membership: Membership

    init(_ topics: [TopicName], mailbox: Mailbox, _ membership: Membership) {
        self.mailbox = mailbox
        self.membership = membership
        membership.refresh(topics)
    }

    deinit {
        membership.end()
    }

    /// Leaves the channels. What is in the buffer can still be read, then the sequence ends.
    public func cancel() {
        membership.end()
    }

    /// There is something that the next call of an iterator's `next` gets without waiting.
    package var hasPending: Bool { mailbox.isReady }

    /// Messages, and the gaps between them, from the same buffer as the subscription's own loop: not a second reader.
    public var events: Events { Events(subscription: self) }

    /// An iterator over messages alone. All iterators take from one buffer: two at the same time get a part each.
    public func makeAsyncIterator() -> Iterator {
        Iterator(subscription: self)
    }

    /// The next of the sequence, if it is a message that is in hand.
    @usableFromInline
    func pollMessage() -> Message? {
        Task.isCancelled ? nil : mailbox.pollMessage().map { Message($0) }
    }

    @usableFromInline
    func next(
        isolation actor: isolated (any Actor)?
    ) async throws(BroadcastError) -> SubscriptionEvent? {
        while !Task.isCancelled {
            switch mailbox.poll() {
            case .message(let message): return .message(Message(message))
            case .gap(let gap): return .gap(Gap(gap))
            case .end(let failure?): throw BroadcastError(failure)
            case .end(nil): return nil
            case nil: await mailbox.wait(isolation: actor)
            }
        }
        return nil
    }

    /// Takes messages from the subscription's buffer, and waits for more.
    public struct Iterator: AsyncIteratorProtocol {
        @usableFromInline let subscription: Subscription

        /// The next message; nil at the end. Does not leave the caller's actor while there is one.
        ///
        /// - Throws: `.overflow` where the buffer was full and its policy is `.fail`; `.permissionDenied` or `.refused` where
        ///   the server withdraws a channel.
        @inlinable
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(BroadcastError) -> Message? {
            // Inlined, so that a loop over what is in hand makes no asynchronous call: a quarter of what receiving took.
            if let message = subscription.pollMessage() { return message }
            while let event = try await subscription.next(isolation: actor) {
                if case .message(let message) = event { return message }
            }
            return nil
        }
    }

    /// The messages and gaps of a subscription.
    public struct Events: AsyncSequence, Sendable {
        /// A message or a gap.
        public typealias Element = SubscriptionEvent
        /// The only type of error that iterating throws.
        public typealias Failure = BroadcastError

        fileprivate let subscription: Subscription

        /// An iterator over messages and gaps.
        public func makeAsyncIterator() -> Iterator {
            Iterator(subscription: subscription)
        }

        /// Takes messages and gaps from the subscription's buffer, and waits for more.
        public struct Iterator: AsyncIteratorProtocol {
            @usableFromInline let subscription: Subscription

            /// The next message or gap; nil at the end.
            ///
            /// - Throws: `.overflow` where the buffer was full and its policy is `.fail`; `.permissionDenied` or `.refused`
            ///   where the server withdraws a channel.
            @inlinable
            public mutating func next(
                isolation actor: isolated (any Actor)? = #isolation
            ) async throws(BroadcastError) -> SubscriptionEvent? {
                if let message = subscription.pollMessage() { return .message(message) }
                return try await subscription.next(isolation: actor)
            }
        }
    }
}
