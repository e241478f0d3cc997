import BroadcasterWire

/// Addresses of servers as sentinels and clusters tell them.
enum RedisAddress {
    /// The longest name of a host (RFC 1035 §2.3.4).
    private static let longestHost = 253

    /// The server at a host and a port that a peer has named; nil where that is none.
    static func endpoint(host: some Collection<UInt8>, port: some Collection<UInt8>) -> Endpoint? {
        let digits = String(decoding: port.prefix(6), as: UTF8.self)
        guard let number = URLOptions.integer(digits).flatMap(UInt16.init(exactly:)), number > 0,
            (1...longestHost).contains(host.count),
            host.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        return .tcp(host: String(decoding: host, as: UTF8.self), port: number)
    }

    /// The same, where an empty host is that of the server that has named it.
    static func endpoint(host: String, port: String, _ asked: Endpoint) -> Endpoint? {
        guard host.isEmpty else { return endpoint(host: host.utf8, port: port.utf8) }
        guard case .tcp(let own, _) = asked else { return nil }
        return endpoint(host: own.utf8, port: port.utf8)
    }
}
