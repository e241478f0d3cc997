import BroadcasterAuthentication
import BroadcasterWire

/// How a message becomes texts that `pg_notify` takes, and how they become the message again.
///
/// A text of at most 7,999 bytes is on the wire as it is, so `psql` and Python read it. All else is marked:
///
///     broadcaster:1:t:TEXT              a text that itself begins with "broadcaster:1:"
///     broadcaster:1:b:BASE64            bytes that are no text, or hold NUL
///     broadcaster:1:p:ID:N/COUNT:PIECE  part N of COUNT of one of the above, or of a longer text
enum PayloadCodec {
    static let mark = Array("broadcaster:1:".utf8)
    /// NOTIFY_PAYLOAD_MAX_LENGTH of async.c, less one.
    static let longest = 7999
    /// What a part carries, beside a head of at most 60 bytes.
    static let pieceLength = 7900

    /// The texts to notify with, in order.
    /// - Parameter id: tells the parts of this message from those of others of this session.
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

    /// Between characters, since each part must be a text by itself.
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

    /// A text that begins with the mark, taken apart.
    enum Marked: Hashable {
        case whole([UInt8])
        case part(id: UInt64, number: Int, count: Int, piece: ArraySlice<UInt8>)
        /// Marked, and not by us.
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

/// Puts the parts of a message together again.
///
/// All notifications of one transaction stand together in the server's queue (async.c), so the parts of a message
/// follow each other and there is never more than one message open. Bounded by the longest message.
struct PartAssembler: Sendable {
    enum Outcome: Hashable {
        case incomplete
        case message([UInt8])
        /// A message whose rest is missing, or that is too long, and falls.
        case lost
    }

    private struct Open {
        let process: Int32
        let id: UInt64
        let channel: [UInt8]
        let count: Int
        var next: Int
        var text: [UInt8]
    }

    private let limit: Int
    private var open: Open?
    /// The message that was last told as lost, whose rest may still come.
    private var lost: (process: Int32, id: UInt64)?

    init(limit: Int) {
        // Base64 makes four bytes of three.
        self.limit = limit / 3 * 4 + 1024
    }

    /// No message is open.
    var isIdle: Bool { open == nil }

    /// The channel of a message that was begun, if `channel` or `process` is another's: its rest will not come.
    mutating func interrupted(by process: Int32, _ channel: [UInt8]) -> [UInt8]? {
        guard let current = open, current.process != process || current.channel != channel else {
            return nil
        }
        lose(current.process, current.id)
        return current.channel
    }

    /// A whole message came where a part was due.
    mutating func abandon() -> Bool {
        guard let current = open else { return false }
        lose(current.process, current.id)
        return true
    }

    private mutating func lose(_ process: Int32, _ id: UInt64) {
        open = nil
        lost = (process, id)
    }

    mutating func add(
        process: Int32, channel: [UInt8], id: UInt64, number: Int, count: Int,
        piece: ArraySlice<UInt8>
    ) -> Outcome {
        var current: Open
        if let open, open.id == id, open.next == number, open.count == count {
            current = open
        } else {
            let before = open
            if let before { lose(before.process, before.id) }
            guard number == 1 else {
                // The rest of one that was told as lost is not told again.
                let isTold = lost.map { $0.process == process && $0.id == id } ?? false
                lose(process, id)
                return isTold && before == nil ? .incomplete : .lost
            }
            current = Open(
                process: process, id: id, channel: channel, count: count, next: 1, text: [])
        }
        open = nil
        guard current.text.count + piece.count <= limit else {
            lose(process, id)
            return .lost
        }
        current.text += piece
        current.next += 1
        if current.next <= count {
            open = current
            return .incomplete
        }
        guard current.text.starts(with: PayloadCodec.mark) else { return .message(current.text) }
        if case .whole(let bytes) = PayloadCodec.decode(current.text) { return .message(bytes) }
        return .lost
    }
}
