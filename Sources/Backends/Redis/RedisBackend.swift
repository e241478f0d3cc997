package import BroadcasterWire

/// Redis PUB/SUB, over RESP3 or RESP2.
package struct RedisBackend: URLBackend, RedisService {
    package static let schemes = RedisURL.schemes

    private let url: RedisURL
    private let options: CommonOptions

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment = .empty
    ) throws(ServerURLError) {
        self.init(try RedisURL(url), options: options)
    }

    init(_ url: RedisURL, options: CommonOptions) {
        self.url = url
        self.options = options
    }

    package var endpoints: [Endpoint] { [url.endpoint] }

    package func security(to endpoint: Endpoint) -> TLSOptions? { url.security }

    package var secrets: [String] { url.password.flatMap { $0.isEmpty ? nil : [$0] } ?? [] }

    package func makeSession() -> any Session {
        makeSession(nonce: Nonce.random())
    }

    /// - Parameter nonce: makes a channel of the probe this session's own.
    package func makeSession(nonce: String) -> any Session {
        RedisSession(url, options: options, nonce: nonce)
    }

    func makeSession(withMaster found: FoundMaster, nonce: String) -> any Session {
        makeSession(at: .master(found), nonce: nonce)
    }

    func makeSession(at place: RedisPlace, nonce: String) -> any Session {
        RedisSession(url.at(place), options: options, nonce: nonce)
    }

    /// Redis < 6.2.16, 7.2.6 and 7.4.1 crash on a long pattern (CVE-2024-31228).
    private static let longestPattern = 1024

    package func refusal(of topic: TopicName) -> String? {
        switch topic {
        case .channel(let name): RedisRefusal.ofChannel(name.utf8.count, options)
        case .binaryChannel(let name): RedisRefusal.ofChannel(name.count, options)
        case .pattern(let pattern) where pattern.utf8.count > RedisBackend.longestPattern:
            "a pattern has at most \(RedisBackend.longestPattern) bytes,"
                + " this one has \(pattern.utf8.count)"
        case .pattern(let pattern): pattern.isEmpty ? "the pattern is empty" : nil
        }
    }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        RedisRefusal.ofPublishing(payload, to: channel, options)
    }
}
