package import BroadcasterWire

/// Redis behind sentinels: PUB/SUB, or streams, at the server that they name as the master.
package struct SentinelBackend: URLBackend {
    package static let schemes = SentinelURL.schemes
    private static let streamSchemes = ["redis-stream+sentinel", "rediss-stream+sentinel"]

    private let url: SentinelURL
    private let service: any RedisService
    private let directory: SentinelDirectory

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment = .empty
    ) throws(ServerURLError) {
        var url = url
        if SentinelBackend.streamSchemes.contains(url.scheme) {
            let retention = try StreamRetention(from: &url.options)
            self.url = try SentinelURL(url)
            service = RedisStreamBackend(self.url.server, retention, options: options)
        } else {
            self.url = try SentinelURL(url)
            service = RedisBackend(self.url.server, options: options)
        }
        directory = SentinelDirectory(self.url.sentinels)
    }

    /// Half a second between two attempts, at most: during a failover the sentinels are asked again and again, and
    /// publishers wait.
    package static func adjust(_ options: inout CommonOptions, by environment: ServerEnvironment) {
        options.longestRetryDelay = min(options.longestRetryDelay, .milliseconds(500))
    }

    /// The sentinels: a session with one ends by a redirection to the master.
    package var endpoints: [Endpoint] { url.sentinels }

    package func security(to endpoint: Endpoint) -> TLSOptions? { url.server.security }

    package var secrets: [String] {
        service.secrets + (url.password.flatMap { $0.isEmpty ? nil : [$0] } ?? [])
    }

    package func makeSession() -> any Session { makeSession(nonce: Nonce.random()) }

    /// - Parameter nonce: makes a channel of the probe this session's own.
    package func makeSession(nonce: String) -> any Session {
        SentinelSession(url, service, directory, nonce: nonce)
    }

    package var keepsHistory: Bool { service.keepsHistory }

    package func refusal(of topic: TopicName) -> String? { service.refusal(of: topic) }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        service.refusal(ofPublishing: payload, to: channel)
    }

    package func refusal(of position: Position) -> String? { service.refusal(of: position) }
}
