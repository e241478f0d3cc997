package import BroadcasterWire
internal import Synchronization

/// Makes the engines of one server's connections: its options, with all that they need from files.
package struct TLSClient: Sendable {
    let context: TLSContext
    let options: TLSOptions
    /// The name that the certificate is to have.
    let name: ServerName
    /// The server, among those whose sessions are kept.
    let server: String

    /// Begins a connection.
    package func connect() throws(TLSError) -> TLSEngine {
        try TLSEngine(self)
    }
}

/// The contexts of a driver's connections, each made once, and again when one of its files has changed.
package final class TLSContexts: Sendable {
    private let contexts = Mutex<[TLSOptions: TLSContext]>([:])
    /// The time at which a file was last changed.
    private let stamp: @Sendable (String) -> Int?

    package init(stamp: @escaping @Sendable (String) -> Int?) {
        self.stamp = stamp
    }

    /// Prepares connections to `endpoint`. It may read files: not to be called on an event loop.
    package func client(
        to endpoint: Endpoint, _ options: TLSOptions
    ) throws(TLSError) -> TLSClient {
        let host = if case .tcp(let host, _) = endpoint { host } else { "localhost" }
        return TLSClient(
            context: try context(options), options: options,
            name: ServerName(options.serverName ?? host), server: endpoint.description)
    }

    private func context(_ options: TLSOptions) throws(TLSError) -> TLSContext {
        var options = options
        options.serverName = nil
        let stamps = options.files.map(stamp)
        if let known = contexts.withLock({ $0[options] }), known.stamps == stamps { return known }
        let new = try TLSContext(options, stamps: stamps)
        contexts.withLock { $0[options] = new }
        return new
    }
}

/// A server's name as its certificate has it: a host's, or an address.
struct ServerName: Hashable, Sendable {
    let text: String
    /// An address is verified as such, and not told to the server (RFC 6066 §3).
    let isAddress: Bool

    /// - Parameter host: the dot at the end of a full name, and the interface of an IPv6 address, are left out.
    init(_ host: String) {
        if host.utf8.contains(UInt8(ascii: ":")) {
            isAddress = true
            text = String(host.prefix { $0 != "%" })
            return
        }
        isAddress = ServerName.isAddress(host)
        text = host.utf8.last == UInt8(ascii: ".") ? String(host.dropLast()) : host
    }

    private static func isAddress(_ host: String) -> Bool {
        let parts = host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.count) && part.allSatisfy { (0x30...0x39).contains($0) }
            }
    }
}
