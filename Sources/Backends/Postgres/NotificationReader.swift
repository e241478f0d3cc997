import BroadcasterWire

/// Makes messages of the notifications on subscribed channels.
struct NotificationReader: Sendable {
    private let limit: Int
    private var topics = TopicIndex()
    private var scanner = NotificationScanner()
    private var assembler: PartAssembler

    /// - Parameter limit: the most bytes of a message.
    init(limit: Int) {
        self.limit = limit
        assembler = PartAssembler(limit: limit)
    }

    mutating func insert(_ topic: Topic) {
        scanner.forget()
        topics.insert(topic)
    }

    mutating func remove(_ topic: Topic) {
        scanner.forget()
        topics.remove(topic.name.text)
    }

    /// Takes the plain notifications from the front of the buffer: the fast way for notifications by the thousand. It
    /// takes none while parts of a message are still due.
    mutating func takeRuns(from buffer: inout ReceiveBuffer, into output: inout SessionOutput) {
        guard assembler.isIdle else { return }
        let received = buffer.bytes
        let end = scanner.scan(
            received.span, from: buffer.start, limit: limit, topics: topics, into: &output)
        buffer.consume(upTo: end)
    }

    /// Takes any notification. Returns false if its channel is not subscribed.
    mutating func take(
        from process: Int32, channel: [UInt8], payload: [UInt8], into output: inout SessionOutput
    ) -> Bool {
        if let interrupted = assembler.interrupted(by: process, channel) {
            lose(interrupted, into: &output)
        }
        guard let entry = topics.find(channel.span, channel.indices) else { return false }
        let isMarked = payload.starts(with: PayloadCodec.mark)
        switch isMarked ? PayloadCodec.decode(payload) : .unknown {
        case .whole(let bytes):
            if assembler.abandon() { lose(channel, into: &output) }
            append(bytes, entry, into: &output)
        case .unknown:
            if assembler.abandon() { lose(channel, into: &output) }
            append(payload, entry, into: &output)
        case .part(let id, let number, let count, let piece):
            if number == 1, assembler.abandon() { lose(channel, into: &output) }
            switch assembler.add(
                process: process, channel: channel, id: id, number: number, count: count,
                piece: piece)
            {
            case .incomplete: break
            case .message(let bytes): append(bytes, entry, into: &output)
            case .lost: lose(channel, into: &output)
            }
        }
        return true
    }

    private func append(
        _ payload: [UInt8], _ entry: TopicIndex.Entry, into output: inout SessionOutput
    ) {
        guard payload.count <= limit else {
            return output.append(.tooLong(payload.count, limit: limit, topic: entry.topic))
        }
        output.append(
            messageIn: payload.span, at: payload.indices, topic: entry.topic,
            origin: entry.origin)
    }

    private func lose(_ channel: [UInt8], into output: inout SessionOutput) {
        guard let entry = topics.find(channel.span, channel.indices) else { return }
        output.append(
            .undeliverable(topic: entry.topic, "a large message came without all its parts"))
    }
}
