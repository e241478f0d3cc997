/// A subscriber's sequence of the values of a channel, in the order in which the server sent them.
///
/// A message that is no value of the channel's type stands in its place, as `.undecodable`, and the sequence goes on. Iterate
/// over `values` to have it thrown instead, and over `events` to see also where messages may be missing. All three take from
/// the buffer of `untyped`: a new loop goes on where the last one stopped.
///
/// ```swift
/// for try await line in try await chat.subscribe() {
///     switch line {
///     case .value(let line, let message): print(line.text, message.receivedAt)
///     case .undecodable(let failure): print(failure)
///     }
/// }
/// ```
public struct TypedSubscription<Value>: AsyncSequence, Sendable {
    /// A message, with its value or without.
    public typealias Element = TypedMessage<Value>
    /// The only type of error that iterating throws.
    public typealias Failure = BroadcastError

    /// The subscription that it takes from: its channels, its start positions, and `cancel()`. What is added to it is decoded
    /// as the channel's values are.
    public let untyped: Subscription
    fileprivate let channel: TypedChannel<Value>

    init(_ untyped: Subscription, _ channel: TypedChannel<Value>) {
        self.untyped = untyped
        self.channel = channel
    }

    /// Leaves the channel. What is in the buffer can still be read, then the sequence ends.
    public func cancel() {
        untyped.cancel()
    }

    /// The values alone. A message that is none is thrown as `.undecodable`; a new loop goes on behind it.
    public var values: Values { Values(subscription: self) }

    /// Messages, and the gaps between them.
    public var events: Events { Events(subscription: self) }

    /// An iterator over messages.
    public func makeAsyncIterator() -> Iterator {
        Iterator(inner: untyped.makeAsyncIterator(), channel: channel)
    }

    /// Takes messages from the subscription's buffer, and waits for more.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var inner: Subscription.Iterator
        fileprivate let channel: TypedChannel<Value>

        /// The next message with its value; nil at the end.
        ///
        /// - Throws: as that of `Subscription`.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(BroadcastError) -> TypedMessage<Value>? {
            try await inner.next(isolation: actor).map { channel.decode($0) }
        }
    }

    /// The values of a subscription.
    public struct Values: AsyncSequence, Sendable {
        /// A value.
        public typealias Element = Value
        /// The only type of error that iterating throws.
        public typealias Failure = BroadcastError

        fileprivate let subscription: TypedSubscription

        /// An iterator over values.
        public func makeAsyncIterator() -> Iterator {
            Iterator(inner: subscription.makeAsyncIterator())
        }

        /// Takes messages from the subscription's buffer, and waits for more.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate var inner: TypedSubscription.Iterator

            /// The next value; nil at the end.
            ///
            /// - Throws: as that of `Subscription`, and `.undecodable` for a message that is no value.
            public mutating func next(
                isolation actor: isolated (any Actor)? = #isolation
            ) async throws(BroadcastError) -> Value? {
                try await inner.next(isolation: actor)?.get()
            }
        }
    }

    /// Messages and gaps of a subscription.
    public struct Events: AsyncSequence, Sendable {
        /// A message, or a gap.
        public typealias Element = TypedEvent<Value>
        /// The only type of error that iterating throws.
        public typealias Failure = BroadcastError

        fileprivate let subscription: TypedSubscription

        /// An iterator over messages and gaps.
        public func makeAsyncIterator() -> Iterator {
            Iterator(
                inner: subscription.untyped.events.makeAsyncIterator(),
                channel: subscription.channel)
        }

        /// Takes messages and gaps from the subscription's buffer, and waits for more.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate var inner: Subscription.Events.Iterator
            fileprivate let channel: TypedChannel<Value>

            /// The next message or gap; nil at the end.
            ///
            /// - Throws: as that of `Subscription`.
            public mutating func next(
                isolation actor: isolated (any Actor)? = #isolation
            ) async throws(BroadcastError) -> TypedEvent<Value>? {
                switch try await inner.next(isolation: actor) {
                case .message(let message): TypedEvent(channel.decode(message))
                case .gap(let gap): .gap(gap)
                case nil: nil
                }
            }
        }
    }
}
