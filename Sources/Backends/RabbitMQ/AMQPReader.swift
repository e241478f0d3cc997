import BroadcasterWire

/// Reads the fields of an AMQP method, header or table, whose end is known. It checks every length before it uses it.
package struct AMQPReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private let what: String

    /// - Parameter what: the name of what is read, for errors.
    package init(_ bytes: ArraySlice<UInt8>, reading what: String) {
        self.bytes = bytes
        self.what = what
        position = bytes.startIndex
    }

    package var remaining: Int { bytes.endIndex - position }

    mutating func byte() throws(ProtocolError) -> UInt8 {
        try need(1)
        defer { position += 1 }
        return bytes[position]
    }

    mutating func uint16() throws(ProtocolError) -> UInt16 {
        UInt16(try byte()) << 8 | UInt16(try byte())
    }

    mutating func uint32() throws(ProtocolError) -> UInt32 {
        UInt32(try uint16()) << 16 | UInt32(try uint16())
    }

    mutating func uint64() throws(ProtocolError) -> UInt64 {
        UInt64(try uint32()) << 32 | UInt64(try uint32())
    }

    /// Reads a text with a length of one byte. Its bytes are the peer's: they may be no UTF-8.
    mutating func short() throws(ProtocolError) -> [UInt8] {
        Array(try slice(Int(try byte())))
    }

    mutating func shortText() throws(ProtocolError) -> String {
        String(decoding: try slice(Int(try byte())), as: UTF8.self)
    }

    /// Reads bytes with a length of four.
    mutating func long() throws(ProtocolError) -> [UInt8] {
        Array(try longSlice())
    }

    mutating func longText() throws(ProtocolError) -> String {
        String(decoding: try longSlice(), as: UTF8.self)
    }

    /// Reads a table, or an array, as a reader of its own.
    mutating func nested(_ what: String) throws(ProtocolError) -> AMQPReader {
        AMQPReader(try longSlice(), reading: what)
    }

    mutating func table() throws(ProtocolError) -> AMQPTable {
        try AMQPTable(&self, depth: 0)
    }

    /// Checks that what is read ends here.
    func finish() throws(ProtocolError) {
        guard remaining == 0 else {
            throw error(expected: "the end", found: "\(remaining) bytes more")
        }
    }

    private mutating func longSlice() throws(ProtocolError) -> ArraySlice<UInt8> {
        try slice(Int(try uint32()))
    }

    private mutating func slice(_ count: Int) throws(ProtocolError) -> ArraySlice<UInt8> {
        try need(count)
        defer { position += count }
        return bytes[position..<position + count]
    }

    private func need(_ count: Int) throws(ProtocolError) {
        guard count <= remaining else {
            throw error(expected: "\(count) bytes more", found: "\(remaining)")
        }
    }

    func error(expected: String, found: String) -> ProtocolError {
        ProtocolError(
            reading: what, expected: expected, found: found, at: position - bytes.startIndex)
    }
}
