import BroadcasterWire

/// Makes messages of the frames on subscribed channels and patterns, except those of the probe.
struct MessageReader: Sendable {
    private let limit: Int
    private let hidden: Topic
    private var scanner: MessageScanner
    private var channels = TopicIndex()
    private var patterns = TopicIndex()

    /// The longest name of a channel that a pattern may match. Any client chooses such names, and each message keeps
    /// its own in memory.
    private static let channelLength = 16_384

    /// - Parameters:
    ///   - limit: the most bytes of a message.
    ///   - word: the first of a frame with a message.
    init(limit: Int, passingOver hidden: Topic, word: String = "message") {
        scanner = MessageScanner(word: word)
        self.limit = limit
        self.hidden = hidden
    }

    mutating func insert(_ topics: [Topic]) {
        scanner.forget()
        for topic in topics {
            topic.name.isPattern ? patterns.insert(topic) : channels.insert(topic)
        }
    }

    mutating func remove(_ topic: Topic) {
        scanner.forget()
        topic.name.isPattern ? patterns.remove(topic.name) : channels.remove(topic.name)
    }

    /// True if there are topics beside the hidden one.
    var hasTopics: Bool {
        channels.count + patterns.count > (channels.contains(hidden) ? 1 : 0)
    }

    /// The front of the buffer is a message on a channel, of which the rest is still to come.
    var isWaiting: Bool { scanner.awaited > 0 }

    /// Takes whole messages on channels from the front of the buffer: the fast way for messages by the million, and for
    /// large ones. Returns true if there was any.
    mutating func takeRuns(
        from buffer: inout ReceiveBuffer, _ dialect: RedisURL.Dialect,
        into output: inout SessionOutput
    ) -> Bool {
        let isLarge = scanner.takeLarge(
            from: &buffer, limit: limit, passingOver: hidden, into: &output)
        let received = buffer.bytes
        let start = buffer.start
        let end = scanner.scan(
            received.span, from: start, dialect: dialect, limit: limit, topics: channels,
            passingOver: hidden, into: &output)
        buffer.consume(upTo: end)
        buffer.expect(scanner.awaited)
        return isLarge || end > start
    }

    /// - Parameter pattern: the one that matched, in a message for a pattern.
    func take(
        _ message: [UInt8], on channel: [UInt8], matching pattern: [UInt8]?,
        into output: inout SessionOutput
    ) {
        if let pattern { return take(message, on: channel, matching: pattern, into: &output) }
        guard let entry = channels.find(channel.span, channel.indices), entry.topic != hidden.id,
            isTaken(message, entry.topic, into: &output)
        else { return }
        output.append(
            messageIn: message.span, at: message.indices, topic: entry.topic, origin: entry.origin)
    }

    private func take(
        _ message: [UInt8], on channel: [UInt8], matching pattern: [UInt8],
        into output: inout SessionOutput
    ) {
        guard let entry = patterns.find(pattern.span, pattern.indices),
            !channel.starts(with: RedisProbe.prefix.utf8),
            isTaken(message, entry.topic, into: &output)
        else { return }
        guard channel.count <= MessageReader.channelLength else {
            return output.append(
                .undeliverable(
                    topic: entry.topic, "a channel's name has \(channel.count) bytes"))
        }
        let origin = Origin(.channel(bytes: channel), pattern: entry.origin.channel)
        output.append(
            messageIn: message.span, at: message.indices, topic: entry.topic, origin: origin)
    }

    /// Returns false for a message beyond the limit, and reports it. (The decoder, whose limit is 1 MiB at least,
    /// ends the connection for those beyond its own.)
    private func isTaken(
        _ message: [UInt8], _ topic: Int, into output: inout SessionOutput
    ) -> Bool {
        if message.count <= limit { return true }
        output.append(.tooLong(message.count, limit: limit, topic: topic))
        return false
    }
}
