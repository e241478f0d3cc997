import BroadcasterBackendKit

/// A line of the server (docs.nats.io, "Client Protocol"). A message's content follows its line.
enum ServerLine: Hashable, Sendable {
    /// The server's description of itself, as JSON.
    case info([UInt8])
    /// The content has `count` bytes, and a line break after them.
    case message(subject: [UInt8], subscription: Int, count: Int)
    case ok
    case error(String)
    case ping
    case pong

    /// The longest line: an INFO of a cluster names each of its servers.
    private static let longest = 1 << 16

    /// Reads a line from the front of the buffer; nil where it is not whole yet.
    static func next(_ buffer: inout ReceiveBuffer) throws(ProtocolError) -> ServerLine? {
        let unread = buffer.bytes[buffer.start...]
        guard let end = unread.firstIndex(of: UInt8(ascii: "\n")) else {
            guard unread.count <= longest else {
                throw ProtocolError(
                    reading: "NATS line", expected: "an end within \(longest) bytes",
                    found: "none", at: buffer.streamOffset(of: buffer.start))
            }
            return nil
        }
        var line = unread[..<end]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        let found = try ServerLine(line, at: buffer.streamOffset(of: buffer.start))
        buffer.consume(upTo: end + 1)
        return found
    }

    private init(_ line: ArraySlice<UInt8>, at offset: Int) throws(ProtocolError) {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 1)
        let rest = words.count == 2 ? words[1] : []
        switch String(decoding: words.first ?? [], as: UTF8.self) {
        case "MSG": self = try ServerLine.message(rest, at: offset)
        case "+OK": self = .ok
        case "-ERR": self = .error(ServerLine.unquoted(rest))
        case "PING": self = .ping
        case "PONG": self = .pong
        case "INFO": self = .info(Array(rest))
        case let word:
            throw ProtocolError(
                reading: "NATS line", expected: "INFO, MSG, +OK, -ERR, PING or PONG",
                found: Rejection(kind: .temporary, message: "\"\(word.prefix(20))\"").message,
                at: offset)
        }
    }

    /// `subject sid [reply-to] #bytes`
    private static func message(
        _ words: ArraySlice<UInt8>, at offset: Int
    ) throws(ProtocolError) -> ServerLine {
        let words = words.split(separator: UInt8(ascii: " "))
        guard words.count == 3 || words.count == 4, let subscription = number(words[1]),
            let count = number(words[words.count - 1])
        else {
            throw ProtocolError(
                reading: "NATS MSG", expected: "subject, sid, perhaps a subject to reply to, size",
                found: "\(words.count) words, or others", at: offset)
        }
        return .message(subject: Array(words[0]), subscription: subscription, count: count)
    }

    /// At most nine digits: no size and no number of ours has more.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...9).contains(digits.count) else { return nil }
        var number = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            number = number * 10 + Int(digit - 0x30)
        }
        return number
    }

    private static func unquoted(_ words: ArraySlice<UInt8>) -> String {
        var words = words
        if words.first == UInt8(ascii: "'"), words.last == UInt8(ascii: "'"), words.count > 1 {
            words = words.dropFirst().dropLast()
        }
        return String(decoding: words, as: UTF8.self)
    }
}
