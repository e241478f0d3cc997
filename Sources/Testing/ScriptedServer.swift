internal import BroadcasterSockets
internal import Synchronization

/// A server on loopback that runs a test's script: for faults that a real server does not make.
///
/// The server calls the script on its own thread, one call at a time, with everything that happens.
///
/// ```swift
/// let server = try ScriptedServer { happening, client in
///     guard case .received(let bytes) = happening else { return }
///     client.send(bytes.starts(with: "*".utf8) ? "-LOADING wait\r\n" : "what?\r\n")
/// }
/// let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)")
/// ```
public final class ScriptedServer: Sendable {
    /// One connection, as the script sees it.
    public struct Client: Sendable {
        /// The connection's number, from 0 in the order of connecting.
        public let number: Int
        fileprivate let peer: Peer

        /// Sends bytes.
        public func send(_ bytes: [UInt8]) {
            peer.send(bytes)
        }

        /// Sends a text.
        public func send(_ text: String) {
            peer.send(Array(text.utf8))
        }

        /// Ends the connection (FIN): bytes sent before still arrive.
        public func close() {
            peer.close()
        }

        /// Breaks the connection (RST).
        public func reset() {
            peer.reset()
        }
    }

    /// An event of a connection.
    public enum Happening: Sendable {
        /// The client has connected.
        case connected
        /// The client has sent these bytes, perhaps a part of a message.
        case received([UInt8])
        /// The client has ended the connection.
        case closed
    }

    private let loop: EventLoop
    private let listener: Listener
    private let script: @Sendable (Happening, Client) -> Void
    private let count = Atomic<Int>(0)

    /// Listens at once, on a free port of 127.0.0.1.
    ///
    /// - Throws: if the machine has no port or descriptor left.
    public init(_ script: @escaping @Sendable (Happening, Client) -> Void) throws {
        loop = try EventLoop(name: "scripted")
        listener = try Listener(
            at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0])
        self.script = script
        _ = try loop.watch(listener.watched, for: .readable) { [weak self] _ in self?.accept() }
    }

    deinit {
        loop.stop()
    }

    /// The port that it listens on.
    public var port: UInt16 { listener.address.port }

    /// The number of connections so far.
    public var connections: Int { count.load(ordering: .relaxed) }

    private func accept() {
        while let socket = try? listener.accept() {
            let number = count.wrappingAdd(1, ordering: .relaxed).oldValue
            let script = script
            let peer = Peer(socket, on: loop)
            let client = Client(number: number, peer: peer)
            script(.connected, client)
            peer.start { bytes in script(bytes.map { .received($0) } ?? .closed, client) }
        }
    }
}
