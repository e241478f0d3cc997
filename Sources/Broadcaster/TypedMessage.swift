/// A message of a typed channel, with its value, or with the reason for which it has none. There are these two, and will be
/// no others.
public enum TypedMessage<Value> {
    /// The value, and the message that it came in, which has the channel, the position and the time.
    case value(Value, Message)
    /// Its bytes are no value of the channel's type.
    case undecodable(UndecodableMessage)

    /// The message.
    public var message: Message {
        switch self {
        case .value(_, let message): message
        case .undecodable(let failure): failure.message
        }
    }

    /// The value; nil where there is none.
    public var value: Value? {
        if case .value(let value, _) = self { value } else { nil }
    }

    /// Returns the value.
    ///
    /// - Throws: `.undecodable` where there is none.
    public func get() throws(BroadcastError) -> Value {
        switch self {
        case .value(let value, _): return value
        case .undecodable(let failure): throw .undecodable(failure.description)
        }
    }
}

extension TypedMessage: Sendable where Value: Sendable {}

/// A message whose bytes are no value of its channel's type.
public struct UndecodableMessage: Sendable, CustomStringConvertible {
    /// The message as it came.
    public let message: Message
    /// The error of the codec.
    public let error: any Error
    /// The name of the codec: `json`, say.
    public let codec: String

    /// A failure as if it had happened, for tests of what a program does with it.
    public init(_ message: Message, error: any Error, codec: String) {
        self.message = message
        self.error = error
        self.codec = codec
    }

    /// The failure in words for a log, without the message's text, which any peer may have written.
    public var description: String {
        "a message of \(message.count) bytes on \(message.channel) is not of its type (\(codec)): \(error)"
    }
}

/// An element of `TypedSubscription.events`. There are these three, and will be no others.
public enum TypedEvent<Value> {
    /// The value, and the message that it came in.
    case value(Value, Message)
    /// A message whose bytes are no value of the channel's type.
    case undecodable(UndecodableMessage)
    /// Messages may be missing here.
    case gap(Gap)

    init(_ message: TypedMessage<Value>) {
        switch message {
        case .value(let value, let message): self = .value(value, message)
        case .undecodable(let failure): self = .undecodable(failure)
        }
    }
}

extension TypedEvent: Sendable where Value: Sendable {}
