package import BroadcasterWire

/// Redis Cluster. Classic PUB/SUB goes through one node, which passes everything on to all others; sharded PUB/SUB goes to
/// the node that has the channel's slot.
package struct ClusterBackend: URLBackend {
    package static let schemes = ClusterURL.schemes

    private let url: ClusterURL
    private let options: CommonOptions
    private let node: RedisBackend
    /// The seeds in an order by chance: else all clients would be on the first.
    package let endpoints: [Endpoint]

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment = .empty
    ) throws(URLError) {
        let url = try ClusterURL(url)
        self.url = url
        self.options = options
        node = RedisBackend(url.server, options: options)
        endpoints = environment.order(url.seeds.count).map { url.seeds[$0] }
    }

    package var secrets: [String] { node.secrets }

    package func security(to endpoint: Endpoint) -> TLSOptions? { url.server.security }

    package func makeSession() -> any Session { makeSession(nonce: Nonce.random()) }

    /// - Parameter nonce: makes a channel of the probe this session's own.
    package func makeSession(nonce: String) -> any Session {
        url.isSharded
            ? ClusterSession(url.server, options: options) : node.makeSession(nonce: nonce)
    }

    package func refusal(of topic: TopicName) -> String? {
        if url.isSharded, topic.isPattern {
            return "sharded PUB/SUB has no patterns: subscribe to channels by their names, or drop"
                + " sharded=true"
        }
        return node.refusal(of: topic)
    }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        node.refusal(ofPublishing: payload, to: channel)
    }
}
