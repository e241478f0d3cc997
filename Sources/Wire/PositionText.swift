/// Positions as text: ASCII without blanks, good as the id of a server-sent event, in a URL's query, and as an argument.
///
/// The form follows from the bytes: none are `0`, before the first message of a channel; sixteen are two numbers, as
/// `1795586786732-2`; twenty-four have an epoch in hexadecimal digits before them, as `5f0c19:17-0`; any other count is
/// written as hexadecimal digits behind an `x`. Each position has one text, and each such text is one position.
extension Position: CustomStringConvertible {
    /// The text, as above.
    public var description: String {
        switch count {
        case 0: "0"
        case 16: "\(words[0])-\(words[1])"
        case 24: "\(String(words[0], radix: 16)):\(words[1])-\(words[2])"
        default: bytes.reduce("x") { $0 + ($1 < 16 ? "0" : "") + String($1, radix: 16) }
        }
    }

    /// The position that has this text; nil where none has.
    public init?(text: String) {
        guard let position = Position.parse(text), position.description == text else { return nil }
        self = position
    }

    /// Reads also texts that no position has: with zeros before a number, or capital digits.
    private static func parse(_ text: String) -> Position? {
        if text == "0" { return .origin }
        if text.utf8.first == UInt8(ascii: "x") {
            let digits = Array(text.utf8.dropFirst())
            guard digits.count % 2 == 0 else { return nil }
            let bytes = stride(from: 0, to: digits.count, by: 2).map { index in
                UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16)
            }
            return bytes.contains(nil) ? nil : Position(bytes.compactMap { $0 })
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let last = parts.last else { return nil }
        let pair = last.split(separator: "-", omittingEmptySubsequences: false)
        guard pair.count == 2, let major = UInt64(pair[0]), let minor = UInt64(pair[1]) else {
            return nil
        }
        if parts.count == 1 { return Position(major, minor) }
        return UInt64(parts[0], radix: 16).map { Position(epoch: $0, major, minor) }
    }
}
