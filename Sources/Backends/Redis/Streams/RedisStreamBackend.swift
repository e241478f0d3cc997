package import BroadcasterWire

/// Redis Streams: each channel is a stream, whose entries are its messages.
package struct RedisStreamBackend: URLBackend, RedisService {
    /// The schemes, each with the one of a plain URL for the same server.
    private static let plainSchemes = [
        "redis-stream": "redis", "valkey-stream": "valkey", "rediss-stream": "rediss",
        "valkeys-stream": "valkeys", "redis-stream+unix": "redis+unix",
    ]
    package static let schemes = [
        "redis-stream", "valkey-stream", "rediss-stream", "valkeys-stream", "redis-stream+unix",
    ]

    private let url: RedisURL
    private let options: CommonOptions
    private let retention: StreamRetention

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment = .empty
    ) throws(ServerURLError) {
        var url = url
        let retention = try StreamRetention(from: &url.options)
        url.scheme = RedisStreamBackend.plainSchemes[url.scheme] ?? "redis"
        self.init(try RedisURL(url), retention, options: options)
    }

    init(_ url: RedisURL, _ retention: StreamRetention, options: CommonOptions) {
        self.url = url
        self.retention = retention
        self.options = options
    }

    package var endpoints: [Endpoint] { [url.endpoint] }

    package func security(to endpoint: Endpoint) -> TLSOptions? { url.security }

    package var secrets: [String] { url.password.flatMap { $0.isEmpty ? nil : [$0] } ?? [] }

    package func makeSession() -> any Session {
        RedisStreamSession(url, retention, options: options)
    }

    func makeSession(withMaster found: FoundMaster, nonce: String) -> any Session {
        RedisStreamSession(url.at(.master(found)), retention, options: options)
    }

    package var keepsHistory: Bool { true }

    package func refusal(of topic: TopicName) -> String? {
        if topic.isPattern {
            return
                "Redis Streams have no patterns: subscribe to channels by their names, or use redis://"
        }
        return RedisRefusal.ofChannel(topic.bytes.count, options)
    }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        RedisRefusal.ofPublishing(payload, to: channel, options)
    }

    package func refusal(of position: Position) -> String? {
        position == .origin || position.pair != nil
            ? nil : "it is no id of a Redis stream, as 1795586786732-2 is one"
    }
}
