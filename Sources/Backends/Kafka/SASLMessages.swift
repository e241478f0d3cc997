package import BroadcasterWire

/// SaslHandshake, version 1: names a mechanism.
package struct SASLHandshakeMessage: Sendable {
    package let error: KafkaError
    /// Those that the broker has.
    package let mechanisms: [String]

    static func append(mechanism: String, to bytes: inout [UInt8]) {
        bytes.appendString(mechanism)
    }

    package init(_ reader: inout FrameReader) throws(ProtocolError) {
        error = KafkaError(code: try reader.int16())
        mechanisms = try reader.array(ofAtLeast: 2) { (reader) throws(ProtocolError) in
            try reader.string()
        }
    }
}

/// SaslAuthenticate, versions 0 and 1: a message of the mechanism.
package struct SASLAuthenticateMessage: Sendable {
    package let error: KafkaError
    package let message: String?
    package let data: [UInt8]
    /// Milliseconds; 0: without end.
    package let lifetime: Int64

    static func append(_ data: [UInt8], to bytes: inout [UInt8]) {
        bytes.appendSizedBytes(data)
    }

    package init(_ reader: inout FrameReader, version: Int16) throws(ProtocolError) {
        error = KafkaError(code: try reader.int16())
        message = try reader.nullableString()
        data = try reader.nullableBytes() ?? []
        lifetime = version >= 1 ? try reader.int64() : 0
    }
}
