package import BroadcasterWire

/// The one framing rule of Postgres: a type, then a length that counts itself, then the body.
package enum PostgresFrame {
    /// The longest frame. A notification has at most 8,000 bytes; an error may quote a whole query.
    package static let limit = 1 << 20

    /// - Parameter type: nil for the startup message, which has none.
    package static func append(
        _ type: Unicode.Scalar?, to bytes: inout [UInt8], _ body: (inout [UInt8]) -> Void
    ) {
        if let type { bytes.append(UInt8(ascii: type)) }
        let start = bytes.count
        bytes.appendInt32(0)
        body(&bytes)
        let length = UInt32(truncatingIfNeeded: bytes.count - start)
        for place in 0..<4 {
            bytes[start + place] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * place))
        }
    }

    /// The bytes of an error before the protocol, or nothing.
    package enum PlainError: Hashable, Sendable {
        case none
        /// The end has not come yet.
        case incomplete
        /// Ends before `end`.
        case text(Range<Int>, end: Int)
    }

    /// The longest error before the protocol (MAX_ERRLEN of libpq).
    private static let longestPlainError = 30_000

    /// Finds an error without a length, as the first answer: a postmaster that cannot fork has no process that could
    /// speak the protocol, and writes 'E', a text and NUL (`report_fork_failure_to_client` in postmaster.c). libpq knows
    /// it by a length that no error can have, too.
    package static func plainError(in bytes: Span<UInt8>, at start: Int) -> PlainError {
        guard bytes.count - start >= 5, bytes[start] == UInt8(ascii: "E") else { return .none }
        var length = 0
        for index in start + 1..<start + 5 { length = length << 8 | Int(bytes[index]) }
        if (8...longestPlainError).contains(length) { return .none }
        for index in start + 1..<min(bytes.count, start + longestPlainError) where bytes[index] == 0
        {
            // A text has more than what would be a length; zeros there are a frame that is broken.
            return index > start + 4 ? .text(start + 1..<index, end: index + 1) : .none
        }
        return bytes.count - start < longestPlainError ? .incomplete : .none
    }

    /// A frame in a receive buffer: its type and the range of its body.
    package struct Header: Hashable, Sendable {
        package let type: UInt8
        package let body: Range<Int>
    }

    /// Returns the next whole frame, or nil if more bytes are needed. It checks a length before the body has come.
    package static func next(
        in bytes: Span<UInt8>, at start: Int, limit: Int = limit
    ) throws(ProtocolError) -> Header? {
        guard bytes.count - start >= 5 else { return nil }
        var length = 0
        for index in start + 1..<start + 5 { length = length << 8 | Int(bytes[index]) }
        guard (4...limit).contains(length) else {
            throw ProtocolError(
                reading: "Postgres frame of type \(ProtocolError.show(bytes[start]))",
                expected: "a length from 4 to \(limit)",
                found: "\(Int32(truncatingIfNeeded: length))")
        }
        let end = start + 1 + length
        guard bytes.count >= end else { return nil }
        return Header(type: bytes[start], body: start + 5..<end)
    }
}

extension [UInt8] {
    mutating func appendInt32(_ number: Int32) {
        for shift in [24, 16, 8, 0] as [Int32] {
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    mutating func appendInt16(_ number: Int) {
        append(UInt8(truncatingIfNeeded: number >> 8))
        append(UInt8(truncatingIfNeeded: number))
    }

    /// Appends a text, up to a NUL if it holds one, so that nothing after it becomes a field of its own; a text that
    /// must not hold one was refused before.
    mutating func appendCString(_ text: String) {
        append(contentsOf: text.utf8.prefix { $0 != 0 })
        append(0)
    }

    /// Appends a length and the bytes; nil is NULL.
    mutating func appendValue(_ value: [UInt8]?) {
        appendInt32(value.map { Int32(truncatingIfNeeded: $0.count) } ?? -1)
        append(contentsOf: value ?? [])
    }
}
