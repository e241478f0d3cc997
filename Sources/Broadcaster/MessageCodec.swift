/// Turns the values of a channel into the bytes of messages, and back.
///
/// The bytes are all that travels: no envelope, no type's name. So a peer in another language takes part as long as it
/// writes the same format. Its functions are called by any task, several at the same time.
///
/// ```swift
/// struct Celsius: MessageCodec {
///     let name = "celsius"
///     func encode(_ value: Double) -> [UInt8] { Array("\(value)".utf8) }
///     func decode(_ bytes: [UInt8]) throws -> Double {
///         guard let value = Double(String(decoding: bytes, as: UTF8.self)) else { throw NoNumber() }
///         return value
///     }
///     struct NoNumber: Error {}
/// }
/// ```
public protocol MessageCodec<Value>: Sendable {
    /// The type of the channel's values.
    associatedtype Value

    /// The name of the format, for errors and logs: `json`, say.
    var name: String { get }

    /// Returns the bytes of a message.
    ///
    /// - Throws: any error; `publish` throws `BroadcastError.invalid` with its description then, and nothing is sent.
    func encode(_ value: Value) throws -> [UInt8]

    /// Returns the value of a message. The bytes are what some peer has sent, and may be anything.
    ///
    /// - Throws: any error; the message is `.undecodable` with it then.
    func decode(_ bytes: [UInt8]) throws -> Value
}

/// Any codec for values of one type: the type in which `.json`, say, is looked up.
public struct AnyMessageCodec<Value>: MessageCodec {
    private let inner: any MessageCodec<Value>

    /// A codec that does what another one does.
    public init(_ codec: some MessageCodec<Value>) {
        inner = codec
    }

    /// The name of the other one.
    public var name: String { inner.name }

    /// Returns what the other one does.
    public func encode(_ value: Value) throws -> [UInt8] { try inner.encode(value) }

    /// Returns what the other one does.
    public func decode(_ bytes: [UInt8]) throws -> Value { try inner.decode(bytes) }
}
