public import Broadcaster
public import FoundationEssentials

/// Values as JSON, through `Codable`: the text that a peer in Python or JavaScript would write, and nothing around it.
///
/// Written as UTF-8 without escapes where none are needed, on one line, with an object's keys in their order, and dates as
/// ISO 8601 text in whole seconds; read as any JSON is. Where that is not what peers do, bring coders of your own.
public struct JSONCodec<Value: Codable>: MessageCodec {
    private let encoder: JSONEncoder
    private let decoder: JSONDecoder

    /// A codec with the usual coders.
    public init() {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        self.init(encoder: encoder, decoder: decoder)
    }

    /// A codec with the caller's coders, which must not be changed afterwards.
    public init(encoder: JSONEncoder, decoder: JSONDecoder) {
        self.encoder = encoder
        self.decoder = decoder
    }

    /// `json`
    public var name: String { "json" }

    /// Returns the value's JSON text as UTF-8.
    ///
    /// - Throws: an `EncodingError` where JSON has no such value: a number that is infinite, say.
    public func encode(_ value: Value) throws -> [UInt8] {
        Array(try encoder.encode(value))
    }

    /// Returns the value that the JSON text has.
    ///
    /// - Throws: a `DecodingError`, which says what is wrong and where.
    public func decode(_ bytes: [UInt8]) throws -> Value {
        try decoder.decode(Value.self, from: Data(bytes))
    }
}

extension AnyMessageCodec where Value: Codable {
    /// JSON, through `Codable`. See `JSONCodec`.
    public static var json: AnyMessageCodec { AnyMessageCodec(JSONCodec<Value>()) }

    /// JSON, through `Codable`, with the caller's coders, which must not be changed afterwards.
    public static func json(encoder: JSONEncoder, decoder: JSONDecoder) -> AnyMessageCodec {
        AnyMessageCodec(JSONCodec<Value>(encoder: encoder, decoder: decoder))
    }
}
