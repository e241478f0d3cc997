/// A value of RESP2 or RESP3 (the Redis serialization protocol, versions 2 and 3).
///
/// Texts stay bytes: the protocol does not promise UTF-8.
package enum RESPValue: Hashable, Sendable {
    /// `+`
    case simpleString([UInt8])
    /// `-`
    case error([UInt8])
    /// `:`
    case integer(Int64)
    /// `$`, and `$?` put together
    case bulkString([UInt8])
    /// `_`, and RESP2's `$-1` and `*-1`
    case null
    /// `,`
    case double(Double)
    /// `#`
    case boolean(Bool)
    /// `(`: a sign and decimal digits
    case bigNumber([UInt8])
    /// `!`
    case blobError([UInt8])
    /// `=`: three bytes that name the format, and the text
    case verbatimString(format: [UInt8], [UInt8])
    /// `*`
    case array([RESPValue])
    /// `~`
    case set([RESPValue])
    /// `%`: keys and values alternating
    case map([RESPValue])
    /// `>`: a message that the server sends unasked
    case push([RESPValue])
    /// `|`: keys and values alternating, and the value that they describe
    indirect case attributed([RESPValue], RESPValue)

    /// The bytes of any kind of string.
    package var text: [UInt8]? {
        switch self {
        case .simpleString(let bytes), .bulkString(let bytes), .verbatimString(_, let bytes): bytes
        default: nil
        }
    }

    /// The value without its attributes.
    package var plain: RESPValue {
        var value = self
        while case .attributed(_, let inner) = value { value = inner }
        return value
    }

    /// The name of this kind of value in an error.
    package var kind: String {
        switch self {
        case .simpleString: "simple string"
        case .error: "error"
        case .integer: "integer"
        case .bulkString: "bulk string"
        case .null: "null"
        case .double: "double"
        case .boolean: "boolean"
        case .bigNumber: "big number"
        case .blobError: "blob error"
        case .verbatimString: "verbatim string"
        case .array: "array"
        case .set: "set"
        case .map: "map"
        case .push: "push"
        case .attributed: "attribute"
        }
    }
}
