/// The peer broke its protocol: what was being read, what was expected, what came, and where.
///
/// It reads `RESP bulk string: expected CRLF after 5 bytes, found 0x20 at offset 11`.
package struct ProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    /// It said nothing wrong, but nothing when something was due.
    package let isSilence: Bool

    package init(
        reading what: String, expected: String, found: String, at offset: Int? = nil
    ) {
        let place = offset.map { " at offset \($0)" } ?? ""
        description = "\(what): expected \(expected), found \(found)\(place)"
        isSilence = false
    }

    /// A limit of ours was passed.
    package init(_ description: String) {
        self.description = description
        isSilence = false
    }

    /// The peer fell silent, or does not answer.
    package init(silence description: String) {
        self.description = description
        isSilence = true
    }

    /// How a byte is shown in an error.
    package static func show(_ byte: UInt8) -> String {
        byte > 0x20 && byte < 0x7f
            ? "'\(Character(UnicodeScalar(byte)))'"
            : "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
