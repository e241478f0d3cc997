internal import BroadcasterWire

/// The server that a connection is made to.
public struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// The host's name or address; the path of a Unix-domain socket.
    public let host: String
    /// nil for a Unix-domain socket.
    public let port: Int?

    /// A server at an address; without a port, a Unix-domain socket at a path. For tests of
    /// `BroadcastOptions.password`.
    public init(host: String, port: Int?) {
        self.host = host
        self.port = port
    }

    init(_ endpoint: Endpoint) {
        switch endpoint {
        case .tcp(let host, let port): (self.host, self.port) = (host, Int(port))
        case .unix(let path): (host, port) = (path, nil)
        }
    }

    /// Such as `db.example:5432`.
    public var description: String {
        port.map { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\($0)" : "\(host):\($0)" }
            ?? host
    }
}
