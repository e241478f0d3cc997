package import BroadcasterSockets

package enum Addresses {
    package static func loopback(_ port: UInt16) throws -> SocketAddress {
        try NameResolution.resolve(host: "127.0.0.1", port: port)[0]
    }
}
