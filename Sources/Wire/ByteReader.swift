/// Reads the fields of a message whose end is known. It checks every length before it uses it.
package struct ByteReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private let what: String

    /// - Parameter what: the name of the message, for errors.
    package init(_ bytes: ArraySlice<UInt8>, reading what: String) {
        self.bytes = bytes
        self.what = what
        position = bytes.startIndex
    }

    package var remaining: Int { bytes.endIndex - position }

    package mutating func byte() throws(ProtocolError) -> UInt8 {
        try need(1)
        defer { position += 1 }
        return bytes[position]
    }

    package mutating func int16() throws(ProtocolError) -> Int16 {
        Int16(bitPattern: UInt16(try byte()) << 8 | UInt16(try byte()))
    }

    package mutating func int32() throws(ProtocolError) -> Int32 {
        var number: UInt32 = 0
        for _ in 0..<4 { number = number << 8 | UInt32(try byte()) }
        return Int32(bitPattern: number)
    }

    /// Reads a count of 16 bits that is not negative.
    package mutating func count() throws(ProtocolError) -> Int {
        let number = try int16()
        guard number >= 0 else { throw error(expected: "a count", found: "\(number)") }
        return Int(number)
    }

    /// Reads bytes up to a NUL, and the NUL.
    package mutating func cString() throws(ProtocolError) -> [UInt8] {
        guard let end = bytes[position...].firstIndex(of: 0) else {
            throw error(expected: "a NUL to end a string", found: "none in \(remaining) bytes")
        }
        defer { position = end + 1 }
        return Array(bytes[position..<end])
    }

    package mutating func string() throws(ProtocolError) -> String {
        String(decoding: try cString(), as: UTF8.self)
    }

    /// Reads a length of 32 bits and as many bytes; −1 is nil.
    package mutating func value() throws(ProtocolError) -> [UInt8]? {
        let length = try int32()
        if length == -1 { return nil }
        guard length >= 0, Int(length) <= remaining else {
            throw error(expected: "-1 or a length up to \(remaining)", found: "\(length)")
        }
        defer { position += Int(length) }
        return Array(bytes[position..<position + Int(length)])
    }

    package mutating func skip(_ count: Int) throws(ProtocolError) {
        try need(count)
        position += count
    }

    /// Reads all remaining bytes.
    package mutating func rest() -> [UInt8] {
        defer { position = bytes.endIndex }
        return Array(bytes[position...])
    }

    /// Checks that the message ends here.
    package func finish() throws(ProtocolError) {
        guard remaining == 0 else {
            throw error(expected: "the end", found: "\(remaining) bytes more")
        }
    }

    private func need(_ count: Int) throws(ProtocolError) {
        guard count <= remaining else {
            throw error(expected: "\(count) bytes more", found: "\(remaining)")
        }
    }

    package func error(expected: String, found: String) -> ProtocolError {
        ProtocolError(
            reading: what, expected: expected, found: found, at: position - bytes.startIndex)
    }
}
