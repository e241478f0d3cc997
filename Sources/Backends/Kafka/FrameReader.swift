package import BroadcasterWire

/// Reads the fields of a Kafka message whose end is known ("Protocol Primitive Types" of the protocol guide). Every
/// length and count is checked against the bytes that are left before anything is reserved for it.
package struct FrameReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    /// The index in the slice's array of the next byte.
    package private(set) var position: Int
    private var what: String

    /// - Parameter what: the name of the message, for errors.
    package init(_ bytes: ArraySlice<UInt8>, reading what: String) {
        self.bytes = bytes
        self.what = what
        position = bytes.startIndex
    }

    /// The same, for the message that it was found to be.
    func named(_ what: String) -> FrameReader {
        var reader = self
        reader.what = what
        return reader
    }

    package var remaining: Int { bytes.endIndex - position }

    // MARK: Numbers

    package mutating func int8() throws(ProtocolError) -> Int8 {
        Int8(truncatingIfNeeded: try number(of: 1))
    }

    package mutating func int16() throws(ProtocolError) -> Int16 {
        Int16(truncatingIfNeeded: try number(of: 2))
    }

    package mutating func int32() throws(ProtocolError) -> Int32 {
        Int32(truncatingIfNeeded: try number(of: 4))
    }

    package mutating func int64() throws(ProtocolError) -> Int64 {
        Int64(bitPattern: try number(of: 8))
    }

    package mutating func bool() throws(ProtocolError) -> Bool {
        try int8() != 0
    }

    private mutating func number(of size: Int) throws(ProtocolError) -> UInt64 {
        try need(size)
        var number: UInt64 = 0
        for index in position..<position + size { number = number << 8 | UInt64(bytes[index]) }
        position += size
        return number
    }

    // MARK: Strings and bytes

    package mutating func string() throws(ProtocolError) -> String {
        guard let text = try nullableString() else {
            throw error(expected: "a string", found: "null")
        }
        return text
    }

    package mutating func nullableString() throws(ProtocolError) -> String? {
        guard let range = try range(of: Int(try int16())) else { return nil }
        return String(decoding: bytes[range], as: UTF8.self)
    }

    package mutating func nullableBytes() throws(ProtocolError) -> [UInt8]? {
        try nullableRange().map { Array(bytes[$0]) }
    }

    /// The place of bytes with a length of 32 bits before them; nil for null.
    package mutating func nullableRange() throws(ProtocolError) -> Range<Int>? {
        try range(of: Int(try int32()))
    }

    private mutating func range(of length: Int) throws(ProtocolError) -> Range<Int>? {
        if length == -1 { return nil }
        guard length >= 0, length <= remaining else {
            throw error(expected: "-1 or a length up to \(remaining)", found: "\(length)")
        }
        defer { position += length }
        return position..<position + length
    }

    // MARK: Arrays

    /// Reads an array, each of whose elements has at least `size` bytes; null is empty.
    package mutating func array<Element>(
        ofAtLeast size: Int, _ element: (inout FrameReader) throws(ProtocolError) -> Element
    ) throws(ProtocolError) -> [Element] {
        let count = Int(try int32())
        if count == -1 { return [] }
        guard count >= 0, count <= remaining / size else {
            throw error(
                expected: "-1 or a count up to \(remaining / size)", found: "\(count)")
        }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try element(&self)) }
        return elements
    }

    /// Passes over an array of numbers of 32 bits.
    package mutating func skipInt32Array() throws(ProtocolError) {
        let count = Int(try int32())
        guard count >= -1, count <= remaining / 4 else {
            throw error(expected: "-1 or a count up to \(remaining / 4)", found: "\(count)")
        }
        position += max(count, 0) * 4
    }

    // MARK: Checks

    private func need(_ count: Int) throws(ProtocolError) {
        guard count <= remaining else {
            throw error(expected: "\(count) bytes more", found: "\(remaining)")
        }
    }

    /// Checks that the message ends here.
    package func finish() throws(ProtocolError) {
        guard remaining == 0 else {
            throw error(expected: "the end", found: "\(remaining) bytes more")
        }
    }

    package func error(expected: String, found: String) -> ProtocolError {
        ProtocolError(
            reading: what, expected: expected, found: found, at: position - bytes.startIndex)
    }
}
