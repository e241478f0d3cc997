/// What makes sessions with one kind of server, and knows where that server is and what it takes.
package protocol Backend: Sendable {
    /// Where to connect, in the order to try. Empty: the session lives in this process.
    var endpoints: [Endpoint] { get }

    /// What must never be shown: the password, if there is one. A trace masks it until the session is ready.
    var secret: String? { get }

    /// A new conversation, before its first byte.
    func makeSession() -> any Session

    /// Why the server would refuse this channel or pattern, in words, or nil. Asked before any I/O.
    func refusal(of topic: TopicName) -> String?

    /// Why the server would refuse this message, in words, or nil. Asked before any I/O.
    func refusal(ofPublishing payload: Payload, to channel: String) -> String?
}

/// Where a server listens.
package enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    package var description: String {
        switch self {
        case .tcp(let host, let port) where host.utf8.contains(UInt8(ascii: ":")):
            "[\(host)]:\(port)"
        case .tcp(let host, let port): "\(host):\(port)"
        case .unix(let path): path
        }
    }
}
