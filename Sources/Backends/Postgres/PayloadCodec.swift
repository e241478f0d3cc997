import BroadcasterAuthentication
import BroadcasterWire

/// Encodes a message as texts that `pg_notify` takes, and decodes them again.
///
/// A text of at most 7,999 bytes goes on the wire as it is, so `psql` and Python read it. All else is marked:
///
///     broadcaster:1:t:TEXT              a text that itself begins with "broadcaster:1:"
///     broadcaster:1:b:BASE64            bytes that are no text, or hold NUL
///     broadcaster:1:p:ID:N/COUNT:PIECE  part N of COUNT of one of the above, or of a longer text
enum PayloadCodec {
    static let mark = Array("broadcaster:1:".utf8)
    /// NOTIFY_PAYLOAD_MAX_LENGTH of async.c, less one.
    static let longest = 7999
    /// The bytes that a part carries, beside a head of at most 60 bytes.
    static let pieceLength = 7900

    /// Returns the texts to notify with, in order.
    /// - Parameter id: distinguishes the parts of this message from those of others of this session.
    static func encode(_ payload: Payload, id: UInt64) -> [[UInt8]] {
        let text = marked(payload.bytes)
        if text.count <= longest { return [text] }
        let pieces = split(text)
        return pieces.enumerated().map { index, piece in
            mark + Array("p:\(id):\(index + 1)/\(pieces.count):".utf8) + piece
        }
    }

    private static func marked(_ bytes: [UInt8]) -> [UInt8] {
        let isText = !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
        if !isText { return mark + Array("b:".utf8) + Array(Base64.encode(bytes).utf8) }
        return bytes.starts(with: mark) ? mark + Array("t:".utf8) + bytes : bytes
    }

    /// Splits between characters, since each part must be a text by itself.
    private static func split(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = text[...]
        while rest.count > pieceLength {
            var end = rest.startIndex + pieceLength
            while rest[end] & 0xc0 == 0x80 { end -= 1 }
            pieces.append(rest[..<end])
            rest = rest[end...]
        }
        return pieces + [rest]
    }

    /// A decoded text that begins with the mark.
    enum Marked: Hashable {
        case whole([UInt8])
        case part(id: UInt64, number: Int, count: Int, piece: ArraySlice<UInt8>)
        /// A text with the mark that this library has not made.
        case unknown
    }

    static func decode(_ text: [UInt8]) -> Marked {
        let rest = text.dropFirst(mark.count)
        let body = rest.dropFirst(2)
        switch String(decoding: rest.prefix(2), as: UTF8.self) {
        case "t:": return .whole(Array(body))
        case "b:":
            return Base64.decode(String(decoding: body, as: UTF8.self)).map { .whole($0) }
                ?? .unknown
        case "p:": return part(body)
        default: return .unknown
        }
    }

    private static func part(_ body: ArraySlice<UInt8>) -> Marked {
        let fields = body.split(
            separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3, let id = UInt64(String(decoding: fields[0], as: UTF8.self)) else {
            return .unknown
        }
        let numbers = fields[1].split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
        )
        .map { URLOptions.integer(String(decoding: $0, as: UTF8.self)) }
        guard numbers.count == 2, let number = numbers[0], let count = numbers[1], number >= 1,
            number <= count
        else { return .unknown }
        return .part(id: id, number: number, count: count, piece: fields[2])
    }
}
