import BroadcasterWire

/// Recognises whole notifications in the receive buffer without building values of them.
///
/// It exists for the same reason as `MessageScanner` of Redis: a busy listener receives nothing else. It takes only
/// plain notifications of subscribed channels; it leaves those marked as a part or as binary, and all else, to
/// `ServerMessage`. It remembers the channel of the last one, with the zero that ends its name.
struct NotificationScanner: Sendable {
    private var name: [UInt8] = []
    private var entry: TopicIndex.Entry?

    /// Forgets the last channel: the topics have changed.
    mutating func forget() {
        name = []
        entry = nil
    }

    /// Takes all such notifications of `bytes` from `start` on. Returns the start of the rest.
    mutating func scan(
        _ bytes: Span<UInt8>, from start: Int, limit: Int, topics: TopicIndex,
        into output: inout SessionOutput
    ) -> Int {
        var position = start
        while let body = body(bytes, position) {
            let nameStart = body.lowerBound + 4
            if name.isEmpty || !bytes.holds(name.span, at: nameStart) {
                guard readName(bytes, nameStart..<body.upperBound, topics) else { break }
            }
            guard let entry else { break }
            let end = takeRun(bytes, from: position, limit, entry, into: &output)
            if end == position { break }
            position = end
        }
        return position
    }

    /// Takes the notifications of the channel whose name is remembered.
    private func takeRun(
        _ bytes: Span<UInt8>, from start: Int, _ limit: Int, _ entry: TopicIndex.Entry,
        into output: inout SessionOutput
    ) -> Int {
        var position = start
        let mark = PayloadCodec.mark
        while let body = body(bytes, position), bytes.holds(name.span, at: body.lowerBound + 4) {
            let payload = body.lowerBound + 4 + name.count
            let end = body.upperBound - 1
            // The zero that ends the payload. The scanner does not look for one inside of it: Postgres takes none
            // from a client.
            guard payload <= end, bytes[end] == 0, end - payload <= limit,
                !bytes.holds(mark.span, at: payload)
            else { break }
            output.append(
                messageIn: bytes, at: payload..<end, topic: entry.topic, origin: entry.origin)
            position = body.upperBound
        }
        return position
    }

    /// Returns the body of the notification at `start`, if the whole of it is there.
    private func body(_ bytes: Span<UInt8>, _ start: Int) -> Range<Int>? {
        guard bytes.count - start >= 11, bytes[start] == UInt8(ascii: "A") else { return nil }
        var length = 0
        for index in start + 1..<start + 5 { length = length << 8 | Int(bytes[index]) }
        guard (10...PostgresFrame.limit).contains(length), length <= bytes.count - start - 1 else {
            return nil
        }
        return start + 5..<start + 1 + length
    }

    private mutating func readName(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ topics: TopicIndex
    ) -> Bool {
        guard let end = range.first(where: { bytes[$0] == 0 }),
            let found = topics.find(bytes, range.lowerBound..<end)
        else { return false }
        entry = found
        name.removeAll(keepingCapacity: true)
        name.append(bytes, range.lowerBound..<end + 1)
        return true
    }
}
