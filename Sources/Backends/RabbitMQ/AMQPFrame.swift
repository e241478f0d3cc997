package import BroadcasterWire

/// The framing of AMQP 0-9-1 (§4.2.3): a type, a channel, a length, so many bytes, and an octet that ends it.
package enum AMQPFrame {
    package enum Kind: UInt8, Hashable, Sendable {
        case method = 1
        case header = 2
        case body = 3
        case heartbeat = 8
    }

    /// A frame in a receive buffer.
    package struct Header: Hashable, Sendable {
        package let kind: Kind
        package let channel: UInt16
        package let payload: Range<Int>

        /// The place behind the octet that ends the frame.
        package var end: Int { payload.upperBound + 1 }
    }

    /// The bytes of a frame around its payload: seven before it, one behind it.
    package static let overhead = 8
    /// RabbitMQ's own `frame_max`, and the most that is taken before the two have agreed.
    package static let usualLimit = 131_072
    static let endOctet: UInt8 = 0xce
    static let headSize = 7

    /// A heartbeat (§4.2.7).
    static let heartbeat: [UInt8] = [8, 0, 0, 0, 0, 0, 0, endOctet]
    /// The first bytes of a connection (§4.2.2), which only a server that refuses them sends itself.
    package static let protocolHeader: [UInt8] = Array("AMQP".utf8) + [0, 0, 9, 1]

    /// Returns the next whole frame, or nil if more bytes are needed. It checks a length before the payload has come.
    ///
    /// - Parameter limit: the agreed `frame_max`, which counts the whole frame.
    package static func next(
        in bytes: Span<UInt8>, at start: Int, limit: Int
    ) throws(ProtocolError) -> Header? {
        guard start < bytes.count else { return nil }
        guard let kind = Kind(rawValue: bytes[start]) else {
            throw ProtocolError(
                reading: "AMQP frame", expected: "a type: 1, 2, 3 or 8",
                found: ProtocolError.show(bytes[start]))
        }
        guard bytes.count - start >= headSize else { return nil }
        let channel = UInt16(bytes[start + 1]) << 8 | UInt16(bytes[start + 2])
        var length = 0
        for index in start + 3..<start + headSize { length = length << 8 | Int(bytes[index]) }
        guard length <= limit - overhead else {
            throw ProtocolError(
                reading: "AMQP frame of type \(kind.rawValue)",
                expected: "a length up to \(limit - overhead)", found: "\(length)")
        }
        let end = start + headSize + length
        guard bytes.count > end else { return nil }
        guard bytes[end] == endOctet else {
            throw ProtocolError(
                reading: "AMQP frame of type \(kind.rawValue)",
                expected: "0xce after \(length) bytes", found: ProtocolError.show(bytes[end]))
        }
        return Header(kind: kind, channel: channel, payload: start + headSize..<end)
    }

    /// Appends a frame whose payload `body` writes.
    static func append(
        _ kind: Kind, on channel: UInt16, to bytes: inout [UInt8], _ body: (inout [UInt8]) -> Void
    ) {
        bytes.append(kind.rawValue)
        bytes.appendUInt16(channel)
        let start = bytes.count
        bytes.appendUInt32(0)
        body(&bytes)
        bytes.patchLength(at: start)
        bytes.append(endOctet)
    }
}

extension [UInt8] {
    mutating func appendUInt16(_ number: UInt16) {
        append(UInt8(truncatingIfNeeded: number >> 8))
        append(UInt8(truncatingIfNeeded: number))
    }

    mutating func appendUInt32(_ number: UInt32) {
        appendLittleEndian(number.byteSwapped)
    }

    mutating func appendUInt64(_ number: UInt64) {
        appendUInt32(UInt32(truncatingIfNeeded: number >> 32))
        appendUInt32(UInt32(truncatingIfNeeded: number))
    }

    /// Appends a text of at most 255 bytes; a longer one was refused before.
    mutating func appendShort(_ text: some Collection<UInt8>) {
        let text = text.prefix(255)
        append(UInt8(truncatingIfNeeded: text.count))
        append(contentsOf: text)
    }

    mutating func appendShort(_ text: String) {
        appendShort(text.utf8)
    }

    mutating func appendLong(_ text: some Collection<UInt8>) {
        appendUInt32(UInt32(truncatingIfNeeded: text.count))
        append(contentsOf: text)
    }

    /// Writes the number of bytes behind the four at `start` into these four.
    mutating func patchLength(at start: Int) {
        let length = UInt32(truncatingIfNeeded: count - start - 4)
        for place in 0..<4 {
            self[start + place] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * place))
        }
    }
}
