public import BroadcasterBackendKit

/// NATS core publish and subscribe: `nats://[user[:password]@]host[:4222][,host…]`.
///
/// A channel is a subject. Patterns are those of NATS: `*` stands for one token, and `>` at the end for all that follow.
/// The server keeps no messages.
public struct NATSBackend: URLBackend {
    /// The schemes of its URLs.
    public static let schemes = ["nats"]

    /// 1 MiB, as the server's default (`max_payload`).
    public static let messageSize = 1 << 20

    private let url: NATSURL
    private let options: CommonOptions

    /// Takes the URL apart.
    public init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment
    ) throws(ServerURLError) {
        self.url = try NATSURL(url)
        self.options = options
    }

    /// The hosts of the URL.
    public var endpoints: [Endpoint] { url.endpoints }

    /// The password of the URL.
    public var secrets: [String] { [url.password].compactMap { $0 }.filter { !$0.isEmpty } }

    /// A new conversation.
    public func makeSession() -> any Session { NATSSession(url, options: options) }

    /// Names and patterns that are no subjects.
    public func refusal(of topic: TopicName) -> String? {
        switch topic {
        case .channel(let name): Subject.refusal(of: name)
        case .pattern(let pattern): Subject.refusal(of: pattern, mayMatch: true)
        case .binaryChannel: "a NATS subject is text"
        }
    }

    /// Names that are no subjects, and messages above the limit.
    public func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        if let refusal = Subject.refusal(of: channel) { return refusal }
        let (count, limit) = (payload.byteCount, options.maximumMessageSize)
        return count > limit ? "a message has \(count) bytes, \(limit) are allowed" : nil
    }
}
