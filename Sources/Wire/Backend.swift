/// Makes sessions with one kind of server, and knows where that server is and what it takes.
public protocol Backend: Sendable {
    /// The servers to connect to, in the order to try. Empty: the session lives in this process.
    var endpoints: [Endpoint] { get }

    /// The texts that must never be shown: passwords. A trace masks them, and those that are looked up, where a lane may
    /// log in.
    var secrets: [String] { get }

    /// The source of passwords that are looked up anew for each connection; nil where the backend knows all there is. What is found
    /// reaches the session with `opened`.
    var passwords: PasswordSource? { get }

    /// The security of a lane to this server from its first byte on; nil: none, or the session asks for it later.
    func security(to endpoint: Endpoint) -> TLSOptions?

    /// Makes a new conversation, before its first byte.
    func makeSession() -> any Session

    /// The reason, in words, for which the server would refuse this channel or pattern; nil where it would not. Asked
    /// before any I/O.
    func refusal(of topic: TopicName) -> String?

    /// The reason, in words, for which the server would refuse this message; nil where it would not. Asked before any
    /// I/O.
    func refusal(ofPublishing payload: Payload, to channel: String) -> String?

    /// True if the server keeps channels' messages: sessions then answer `.read`, and say `.rang` where others push.
    var keepsHistory: Bool { get }

    /// The reason, in words, for which this is no position of a backend like this one; nil where it is.
    func refusal(of position: Position) -> String?

    /// The statements that make what the history needs on the server; nil where it needs nothing.
    var migration: String? { get }

    /// The same backend, whose sessions carry these out: one is ready when it is done.
    var migrating: (any Backend)? { get }
}

extension Backend {
    /// False.
    public var keepsHistory: Bool { false }

    /// None.
    public var migration: String? { nil }

    /// None.
    public var migrating: (any Backend)? { nil }

    /// Any: the server keeps none.
    public func refusal(of position: Position) -> String? { "the server keeps no history" }

    /// None.
    public var passwords: PasswordSource? { nil }

    /// None.
    public func security(to endpoint: Endpoint) -> TLSOptions? { nil }
}

/// A backend that URLs lead to.
public protocol URLBackend: Backend {
    /// The schemes of its URLs.
    static var schemes: [String] { get }

    /// The longest message, in bytes, where neither the URL nor the options say.
    static var messageSize: Int { get }

    /// Takes from the environment what it says of the options that all backends have.
    static func adjust(
        _ options: inout CommonOptions, by environment: ServerEnvironment
    ) throws(ServerURLError)

    /// Takes from the URL what it says of them by names that are this backend's alone.
    static func adjust(
        _ options: inout CommonOptions, by urlOptions: inout URLOptions
    ) throws(ServerURLError)

    init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment
    ) throws(ServerURLError)
}

extension URLBackend {
    /// 64 MiB.
    public static var messageSize: Int { 64 << 20 }

    /// Nothing.
    public static func adjust(_ options: inout CommonOptions, by environment: ServerEnvironment) {}

    /// Nothing.
    public static func adjust(_ options: inout CommonOptions, by urlOptions: inout URLOptions) {}
}

/// The address at which a server listens.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// `host:port`, `[address]:port`, or a path.
    public var description: String {
        switch self {
        case .tcp(let host, let port) where host.utf8.contains(UInt8(ascii: ":")):
            "[\(host)]:\(port)"
        case .tcp(let host, let port): "\(host):\(port)"
        case .unix(let path): path
        }
    }
}
