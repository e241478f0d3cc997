import BroadcasterWire

/// Recognises a whole pub/sub message in the receive buffer without building a value of it.
///
/// This is the one place where speed took precedence: a busy channel is nothing but these frames. It only
/// takes what is complete and in the exact form that Redis sends; all else, faults included, is left
/// to `RESPDecoder`, so there is one judge of the protocol.
struct MessageScanner: Sendable {
    struct Message: Hashable {
        let channel: Range<Int>
        let payload: Range<Int>
        /// The index after the message.
        let end: Int
    }

    private let resp2 = Array("*3\r\n$7\r\nmessage\r\n".utf8)
    private let resp3 = Array(">3\r\n$7\r\nmessage\r\n".utf8)

    func message(
        in bytes: Span<UInt8>, at start: Int, dialect: RedisURL.Dialect, limit: Int
    ) -> Message? {
        let prefix = dialect == .resp3 ? resp3 : resp2
        guard bytes.count - start > prefix.count else { return nil }
        for index in prefix.indices where bytes[start + index] != prefix[index] { return nil }
        guard let channel = string(in: bytes, at: start + prefix.count, limit: limit),
            let payload = string(in: bytes, at: channel.upperBound + 2, limit: limit)
        else { return nil }
        return Message(channel: channel, payload: payload, end: payload.upperBound + 2)
    }

    /// The content of the bulk string at `start`, if it is there with its CRLF.
    private func string(in bytes: Span<UInt8>, at start: Int, limit: Int) -> Range<Int>? {
        guard start < bytes.count, bytes[start] == UInt8(ascii: "$") else { return nil }
        var index = start + 1
        var length = 0
        while index < bytes.count, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            length = length * 10 + Int(digit)
            guard length <= limit else { return nil }
            index += 1
        }
        let content = index + 2
        guard index > start + 1, content + length + 2 <= bytes.count, isCRLF(bytes, index),
            isCRLF(bytes, content + length)
        else { return nil }
        return content..<content + length
    }

    private func isCRLF(_ bytes: Span<UInt8>, _ index: Int) -> Bool {
        bytes[index] == UInt8(ascii: "\r") && bytes[index + 1] == UInt8(ascii: "\n")
    }
}
