package import BroadcasterWire

/// Channels inside one process, for tests and for programs that are one process.
package struct MemoryBackend: URLBackend {
    package static let schemes = ["memory"]

    /// The bounds of what is kept.
    package struct HistoryLimits: Hashable, Sendable {
        /// Messages of each channel.
        package let messages: Int
        /// Bytes of all channels together: beyond it, the oldest messages go.
        package let bytes: Int

        package init(messages: Int, bytes: Int = 64 << 20) {
            self.messages = messages
            self.bytes = bytes
        }
    }

    private let maximumMessageSize: Int
    private let history: HistoryLimits?
    /// Tells the histories of two sessions apart.
    private let newEpoch: @Sendable () -> UInt64

    package init(
        maximumMessageSize: Int, history: HistoryLimits? = nil,
        newEpoch: @escaping @Sendable () -> UInt64 = { .random(in: 1 ... .max) }
    ) {
        self.maximumMessageSize = maximumMessageSize
        self.history = history
        self.newEpoch = newEpoch
    }

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment
    ) throws(ServerURLError) {
        var rest = url.options
        let messages = try rest.takeInteger("history", in: 1...1_000_000_000)
        let bytes = try rest.takeInteger("history_bytes", in: 1...(1 << 40))
        try rest.finish(scheme: "memory")
        if messages == nil, bytes != nil {
            throw ServerURLError(
                "history_bytes bounds a history: say also how many messages of each channel are kept, by history=1000"
            )
        }
        guard url.user == nil, url.hosts.isEmpty, url.path.isEmpty || url.path == "/" else {
            throw ServerURLError("a memory URL names no server: write memory://")
        }
        self.init(
            maximumMessageSize: options.maximumMessageSize,
            history: messages.map { HistoryLimits(messages: $0, bytes: bytes ?? 64 << 20) })
    }

    package var endpoints: [Endpoint] { [] }

    package var secrets: [String] { [] }

    package func makeSession() -> any Session {
        MemorySession(history.map { MemoryHistory($0, epoch: newEpoch()) })
    }

    package var keepsHistory: Bool { history != nil }

    package func refusal(of position: Position) -> String? {
        let isOurs = position == .origin || position.triple.map { $0.minor == 0 } ?? false
        return isOurs ? nil : "it is no position of memory://, as 3f9a01:17-0 is one"
    }

    package func refusal(of topic: TopicName) -> String? {
        if case .binaryChannel = topic { return "a channel's name is text in memory" }
        guard topic.text.isEmpty else { return nil }
        return topic.isPattern ? "the pattern is empty" : "the channel's name is empty"
    }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        if channel.isEmpty { return "the channel's name is empty" }
        guard payload.byteCount > maximumMessageSize else { return nil }
        return "a message has at most \(maximumMessageSize) bytes (max_message_size),"
            + " this one has \(payload.byteCount)"
    }
}
