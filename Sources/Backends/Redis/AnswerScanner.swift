import BroadcasterWire

/// Recognises the answers to PUBLISH in the receive buffer without building values of them.
///
/// It exists for the same reason as `MessageScanner`: a busy publisher receives nothing else. It takes integers of at
/// most nine digits, which is more clients than a server has; it leaves all else to `RESPDecoder`.
enum AnswerScanner {
    /// Reads the answer at `position` and moves `position` behind it; nil unless the whole answer is there.
    static func next(_ bytes: Span<UInt8>, at position: inout Int) -> Int? {
        guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { return nil }
        var index = position + 1
        var number = 0
        while index < bytes.count, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            // A hostile server may send a number of any length.
            guard index - position < 10 else { return nil }
            number = number * 10 + Int(digit)
            index += 1
        }
        guard index - position > 1, index + 1 < bytes.count,
            bytes[index] == UInt8(ascii: "\r"), bytes[index + 1] == UInt8(ascii: "\n")
        else { return nil }
        position = index + 2
        return number
    }
}
