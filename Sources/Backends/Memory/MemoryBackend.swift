package import BroadcasterWire

/// Channels inside one process, for tests and for programs that are one process.
package struct MemoryBackend: URLBackend {
    package static let schemes = ["memory"]

    private let maximumMessageSize: Int

    package init(maximumMessageSize: Int) {
        self.maximumMessageSize = maximumMessageSize
    }

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment
    ) throws(URLError) {
        try url.options.finish(scheme: "memory")
        guard url.user == nil, url.hosts.isEmpty, url.path.isEmpty || url.path == "/" else {
            throw URLError("a memory URL names no server: write memory://")
        }
        maximumMessageSize = options.maximumMessageSize
    }

    package var endpoints: [Endpoint] { [] }

    package var secrets: [String] { [] }

    package func makeSession() -> any Session {
        MemorySession()
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
