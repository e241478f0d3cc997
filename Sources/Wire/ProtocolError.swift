/// The peer broke its protocol: the error says what was being read, what was expected, what came, and where.
///
/// It reads `RESP bulk string: expected CRLF after 5 bytes, found 0x20 at offset 11`.
public struct ProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The two ways in which a peer fails.
    public enum Kind: Hashable, Sendable {
        /// The peer sent what the protocol does not allow, or passed a limit.
        case violation
        /// The peer sent nothing when something was due: the connection is lost, and nobody did wrong.
        case silence
    }

    /// The way in which the peer has failed.
    public let kind: Kind
    /// The error in words.
    public let description: String

    /// A violation, in words of one form for all protocols.
    public init(
        reading what: String, expected: String, found: String, at offset: Int? = nil
    ) {
        let place = offset.map { " at offset \($0)" } ?? ""
        description = "\(what): expected \(expected), found \(found)\(place)"
        kind = .violation
    }

    /// A violation in words of its own, such as a limit that was passed.
    public init(_ description: String) {
        self.description = description
        kind = .violation
    }

    /// Silence of the peer, or answers that do not come.
    public init(silence description: String) {
        self.description = description
        kind = .silence
    }

    /// The form in which an error shows a byte.
    public static func show(_ byte: UInt8) -> String {
        byte > 0x20 && byte < 0x7f
            ? "'\(Character(UnicodeScalar(byte)))'"
            : "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
