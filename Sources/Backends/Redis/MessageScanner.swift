import BroadcasterWire

/// Recognises whole pub/sub messages in the receive buffer without building values of them.
///
/// Speed takes precedence here: a busy channel is nothing but these frames. The scanner takes only frames that are
/// complete and in the exact form that Redis sends; it leaves all else, faults included, to `RESPDecoder`, so there
/// is one judge of the protocol. It remembers the head of the last frame, up to the payload's length, with its topic:
/// on a busy channel the next one has the same.
struct MessageScanner: Sendable {
    private let resp2: [UInt8]
    private let resp3: [UInt8]
    private var head: [UInt8] = []
    private var entry: TopicIndex.Entry?

    /// - Parameter word: the first of a frame: `message`, or `smessage` of sharded PUB/SUB.
    init(word: String = "message") {
        resp2 = Array("*3\r\n$\(word.utf8.count)\r\n\(word)\r\n".utf8)
        resp3 = Array(">3\r\n$\(word.utf8.count)\r\n\(word)\r\n".utf8)
    }

    /// Forgets the last channel: the topics have changed.
    mutating func forget() {
        head = []
        entry = nil
    }

    /// Takes all whole messages of `bytes` from `start` on, and hands those of known topics to `output`. Returns the
    /// start of the rest.
    mutating func scan(
        _ bytes: Span<UInt8>, from start: Int, dialect: RedisURL.Dialect, limit: Int,
        topics: TopicIndex, passingOver hidden: Topic, into output: inout SessionOutput
    ) -> Int {
        var position = start
        while position < bytes.count {
            if head.isEmpty || !bytes.holds(head.span, at: position) {
                guard readHead(bytes, position, dialect, limit, topics) else { break }
            }
            let end = takeRun(bytes, from: position, limit, hidden, into: &output)
            if end == position { break }
            position = end
        }
        return position
    }

    /// Takes the messages that begin with `head`, as the one at `start` does.
    private func takeRun(
        _ bytes: Span<UInt8>, from start: Int, _ limit: Int, _ hidden: Topic,
        into output: inout SessionOutput
    ) -> Int {
        // No entry: these are the last messages of a channel that the client has left meanwhile.
        let visible = entry.flatMap { $0.topic == hidden.id ? nil : $0 }
        var position = start
        repeat {
            guard let payload = string(in: bytes, at: position + head.count - 1, limit: limit)
            else { break }
            if let visible {
                output.append(
                    messageIn: bytes, at: payload, topic: visible.topic, origin: visible.origin)
            }
            position = payload.upperBound + 2
        } while bytes.holds(head.span, at: position)
        return position
    }

    /// Remembers the head of the frame at `start`, up to and including the `$` before the payload's length.
    private mutating func readHead(
        _ bytes: Span<UInt8>, _ start: Int, _ dialect: RedisURL.Dialect, _ limit: Int,
        _ topics: TopicIndex
    ) -> Bool {
        let prefix = dialect == .resp3 ? resp3 : resp2
        guard bytes.holds(prefix.span, at: start),
            let channel = string(in: bytes, at: start + prefix.count, limit: limit)
        else { return false }
        let end = channel.upperBound + 3
        guard end <= bytes.count, bytes[end - 1] == UInt8(ascii: "$") else { return false }
        head.removeAll(keepingCapacity: true)
        head.append(bytes, start..<end)
        entry = topics.find(bytes, channel)
        return true
    }

    /// Returns the content of the bulk string whose `$` is at `start`, if it is there with its CRLF.
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
