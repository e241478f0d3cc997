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
    /// The bytes of the frame at the end of the last scan, if its length is known and its rest is to come; else 0.
    private(set) var awaited = 0

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
        awaited = 0
        while position < bytes.count {
            if head.isEmpty || !bytes.holds(head.span, at: position) {
                guard readHead(bytes, position, dialect, limit, topics) else { break }
            }
            let end = takeRun(bytes, from: position, limit, hidden, into: &output)
            if end == position {
                awaited = missing(bytes, position, limit)
                break
            }
            position = end
        }
        return position
    }

    /// Takes the large message at the front of the buffer, if it is there and is on the channel of the last frame. It
    /// keeps the memory that it was read into.
    func takeLarge(
        from buffer: inout ReceiveBuffer, limit: Int, passingOver hidden: Topic,
        into output: inout SessionOutput
    ) -> Bool {
        guard buffer.expected > 0, buffer.count >= buffer.expected, let entry,
            entry.topic != hidden.id, let payload = payload(in: buffer, limit),
            let memory = buffer.takeLarge(upTo: payload.upperBound + 2)
        else { return false }
        output.append(
            message: payload, keeping: memory, topic: entry.topic, origin: entry.origin)
        return true
    }

    private func payload(in buffer: ReceiveBuffer, _ limit: Int) -> Range<Int>? {
        let bytes = buffer.bytes.span
        guard bytes.holds(head.span, at: buffer.start) else { return nil }
        return string(in: bytes, at: buffer.start + head.count - 1, limit: limit)
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
            if position == start, payload.count >= MessageScanner.measured, visible != nil {
                makeRoom(for: bytes, from: start, limit, in: &output)
            }
            if let visible {
                output.append(
                    messageIn: bytes, at: payload, topic: visible.topic, origin: visible.origin)
            }
            position = payload.upperBound + 2
        } while bytes.holds(head.span, at: position)
        return position
    }

    /// The bytes of a message from which on it is cheaper to look for the end of its run first than to let its memory grow.
    private static let measured = 2048

    private func makeRoom(
        for bytes: Span<UInt8>, from start: Int, _ limit: Int, in output: inout SessionOutput
    ) {
        var (position, count, size) = (start, 0, 0)
        while bytes.holds(head.span, at: position),
            let payload = string(in: bytes, at: position + head.count - 1, limit: limit)
        {
            (position, count, size) = (payload.upperBound + 2, count + 1, size + payload.count)
        }
        output.makeRoom(forMessages: count, size: size)
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

    /// The bytes of the frame at `start`, which begins with `head`, if some of them are missing and nothing is wrong with
    /// the others; else 0.
    private func missing(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
        guard let payload = declared(in: bytes, at: start + head.count - 1, limit: limit),
            payload.upperBound + 2 > bytes.count
        else { return 0 }
        return payload.upperBound + 2 - start
    }

    /// Returns the content of the bulk string whose `$` is at `start`, if it is there with its CRLF.
    private func string(in bytes: Span<UInt8>, at start: Int, limit: Int) -> Range<Int>? {
        guard let (index, length) = length(in: bytes, at: start, limit: limit) else { return nil }
        let content = index + 2
        guard index > start + 1, content + length + 2 <= bytes.count, isCRLF(bytes, index),
            isCRLF(bytes, content + length)
        else { return nil }
        return content..<content + length
    }

    /// Returns where that content is by its length, whether it is there or not.
    private func declared(in bytes: Span<UInt8>, at start: Int, limit: Int) -> Range<Int>? {
        guard let (index, length) = length(in: bytes, at: start, limit: limit),
            index > start + 1, index + 2 <= bytes.count, isCRLF(bytes, index)
        else { return nil }
        return index + 2..<index + 2 + length
    }

    /// Returns the length of the bulk string whose `$` is at `start`, and where its digits end. Inlined for the sake of
    /// small messages.
    @inline(__always)
    private func length(
        in bytes: Span<UInt8>, at start: Int, limit: Int
    ) -> (end: Int, length: Int)? {
        guard start < bytes.count, bytes[start] == UInt8(ascii: "$") else { return nil }
        var index = start + 1
        var length = 0
        while index < bytes.count, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            length = length * 10 + Int(digit)
            guard length <= limit else { return nil }
            index += 1
        }
        return (index, length)
    }

    private func isCRLF(_ bytes: Span<UInt8>, _ index: Int) -> Bool {
        bytes[index] == UInt8(ascii: "\r") && bytes[index + 1] == UInt8(ascii: "\n")
    }
}
