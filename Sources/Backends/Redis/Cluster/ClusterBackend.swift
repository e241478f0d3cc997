package import BroadcasterWire

/// Redis Cluster. Classic PUB/SUB goes through one node, which passes everything on to all others; sharded PUB/SUB and streams
/// are at the node that has the channel's slot.
package struct ClusterBackend: URLBackend {
    package static let schemes = ClusterURL.schemes

    private let url: ClusterURL
    private let options: CommonOptions
    private let node: RedisBackend
    /// nil: PUB/SUB.
    private let streams: (retention: StreamRetention, node: RedisStreamBackend)?
    /// The seeds in an order by chance: else all clients would be on the first.
    package let endpoints: [Endpoint]

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment = .empty
    ) throws(ServerURLError) {
        var given = url
        let isOfStreams = ClusterURL.streamSchemes.contains(given.scheme)
        let retention = isOfStreams ? try StreamRetention(from: &given.options) : nil
        let url = try ClusterURL(given)
        self.url = url
        streams = retention.map { ($0, RedisStreamBackend(url.server, $0, options: options)) }
        self.options = options
        node = RedisBackend(url.server, options: options)
        endpoints = environment.order(url.seeds.count).map { url.seeds[$0] }
    }

    package var secrets: [String] { node.secrets }

    package func security(to endpoint: Endpoint) -> TLSOptions? { url.server.security }

    package func makeSession() -> any Session { makeSession(nonce: Nonce.random()) }

    /// - Parameter nonce: makes a channel of the probe this session's own.
    package func makeSession(nonce: String) -> any Session {
        if let streams {
            return ClusterStreamSession(url.server, streams.retention, options: options)
        }
        return url.isSharded
            ? ClusterSession(url.server, options: options)
            : node.makeSession(at: .node, nonce: nonce)
    }

    package var keepsHistory: Bool { streams != nil }

    package func refusal(of topic: TopicName) -> String? {
        if let streams { return streams.node.refusal(of: topic) }
        if url.isSharded, topic.isPattern {
            return "sharded PUB/SUB has no patterns: subscribe to channels by their names, or drop"
                + " sharded=true"
        }
        return node.refusal(of: topic)
    }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        node.refusal(ofPublishing: payload, to: channel)
    }

    package func refusal(of position: Position) -> String? {
        streams.map { $0.node.refusal(of: position) } ?? "the server keeps no history"
    }
}
