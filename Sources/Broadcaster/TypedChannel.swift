/// A channel whose messages are values of one type.
///
/// ```swift
/// import Broadcaster
/// import BroadcasterJSON
///
/// struct ChatLine: Codable { var user: String; var text: String }
///
/// let chat = broadcast.channel("chat", of: ChatLine.self, codec: .json)
/// try await chat.publish(ChatLine(user: "ada", text: "hello"))
/// for try await line in try await chat.subscribe().values { print(line.user, line.text) }
/// ```
///
/// It is a view of a channel: nothing of it is known to the server, other channels and untyped subscribers share its
/// messages, and making one costs nothing.
public struct TypedChannel<Value>: Sendable {
    /// The channel's name.
    public let name: String
    /// The name of its codec: `json`, say.
    public var codec: String { coding.name }

    private let broadcast: Broadcast
    private let coding: any MessageCodec<Value>

    init(_ name: String, _ broadcast: Broadcast, _ coding: any MessageCodec<Value>) {
        self.name = name
        self.broadcast = broadcast
        self.coding = coding
    }

    /// Publishes a value. As `Broadcast.publish(_:to:retry:)`.
    ///
    /// - Throws: as that, and `.invalid` with the codec's error where the value cannot be encoded. Nothing was sent then.
    @discardableResult
    public func publish(
        _ value: Value, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> PublishReceipt {
        try await broadcast.publish(try encode(value), to: name, retry: retry)
    }

    /// Publishes many values, in order. As `Broadcast.publish(contentsOf:to:retry:)`.
    ///
    /// - Throws: as that, and `.invalid` with the codec's error where one of the values cannot be encoded. Nothing was sent
    ///   then.
    @discardableResult
    public func publish(
        contentsOf values: some Sequence<Value>, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> [PublishReceipt] {
        var messages: [[UInt8]] = []
        for value in values { messages.append(try encode(value)) }
        return try await broadcast.publish(contentsOf: messages, to: name, retry: retry)
    }

    private func encode(_ value: Value) throws(BroadcastError) -> [UInt8] {
        do {
            return try coding.encode(value)
        } catch {
            throw .invalid(
                "a value of \(Value.self) for \(name) cannot be encoded (\(coding.name)): \(error)")
        }
    }

    /// Subscribes to the channel. As `Broadcast.subscribe(to:_:patterns:history:buffer:)`: its promises, positions, gaps,
    /// history and buffer are the same.
    ///
    /// - Parameters:
    ///   - start: where to begin, if the server keeps the channel's messages.
    ///   - buffer: the room for messages that wait for a slow subscriber, as bytes; by default the options' buffer.
    public func subscribe(
        history start: SubscriptionStart = .new, buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> TypedSubscription<Value> {
        TypedSubscription(
            try await broadcast.subscribe(to: [name], history: start, buffer: buffer), self)
    }

    /// Returns the message with its value: one of a page of `Broadcast.history(of:_:limit:)`, or of an untyped subscription.
    public func decode(_ message: Message) -> TypedMessage<Value> {
        do {
            return .value(try coding.decode(message.bytes), message)
        } catch {
            return .undecodable(UndecodableMessage(message, error: error, codec: coding.name))
        }
    }
}

extension Broadcast {
    /// The channel of this name as one of values of a type.
    ///
    /// - Parameters:
    ///   - name: the channel.
    ///   - type: the type of its values.
    ///   - codec: the format of its messages: with `import BroadcasterJSON`, `.json`.
    public func channel<Value>(
        _ name: String, of type: Value.Type, codec: AnyMessageCodec<Value>
    ) -> TypedChannel<Value> {
        TypedChannel(name, self, codec)
    }

    /// The channel of this name as one of values of a type, in a format of the caller's. As `channel(_:of:codec:)`.
    public func channel<Value>(
        _ name: String, of type: Value.Type, codec: some MessageCodec<Value>
    ) -> TypedChannel<Value> {
        TypedChannel(name, self, codec)
    }
}
