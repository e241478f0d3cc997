internal import BroadcasterSockets
internal import Synchronization

/// A proxy on loopback between a client and a real server, that cuts, slices, delays or swallows the bytes that pass.
///
/// ```swift
/// let proxy = try FaultyProxy(toPort: 6379)
/// let broadcast = try Broadcast("redis://127.0.0.1:\(proxy.port)?ping=1s")
/// …
/// proxy.set { $0.swallowsFromServer = true }      // the server falls silent
/// proxy.set { $0 = FaultyProxy.Faults() }         // all is well again
/// proxy.cut()                                     // every connection is lost
/// ```
public final class FaultyProxy: Sendable {
    /// The faults that the proxy makes. The default is none.
    public struct Faults: Sendable {
        /// Passes on pieces of at most this many bytes.
        public var slice: Int?
        /// Cuts all connections after this many more bytes from the server, once.
        public var cutAfter: Int?
        /// `cutAfter` holds for each connection in turn, until it is changed.
        public var cutsAgain = false
        /// Passes everything on this much later.
        public var delay: Duration?
        /// Swallows the server's bytes; connections stay.
        public var swallowsFromServer = false
        /// Swallows the client's bytes; connections stay.
        public var swallowsFromClient = false
        /// Damages one byte of so many that come from the server: each is inverted.
        public var damagesOneOf: Int?
        /// Accepts new connections and ends them at once.
        public var refuses = false

        /// No faults.
        public init() {}
    }

    private struct Pair {
        let client: Peer
        let server: Peer
    }

    private struct State {
        var faults = Faults()
        var pairs: [Pair] = []
        var passed = 0
        var server: SocketAddress
    }

    private let loop: EventLoop
    private let listener: Listener
    private let state: Mutex<State>

    /// Listens at once, on a free port of 127.0.0.1, and connects to `host` and `port` for each client.
    ///
    /// - Throws: if `host` is no name of a machine, or this machine has no port or descriptor left.
    public init(toPort port: UInt16, host: String = "127.0.0.1") throws {
        loop = try EventLoop(name: "proxy")
        listener = try Listener(at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0])
        state = Mutex(State(server: try NameResolution.resolve(host: host, port: port)[0]))
        _ = try loop.watch(listener.watched, for: .readable) { [weak self] _ in self?.accept() }
    }

    deinit {
        loop.stop()
    }

    /// The port that it listens on.
    public var port: UInt16 { listener.address.port }

    /// Changes the faults, for bytes that pass from now on.
    public func set(_ change: @Sendable (inout Faults) -> Void) {
        state.withLock { state in
            change(&state.faults)
            state.passed = 0
        }
    }

    /// Leads new connections to another server, as a name does after a failover. Those that are open stay where they are.
    ///
    /// - Throws: where the host has no address.
    public func redirect(toPort port: UInt16, host: String = "127.0.0.1") throws {
        let address = try NameResolution.resolve(host: host, port: port)[0]
        state.withLock { $0.server = address }
    }

    /// Cuts every open connection (FIN on both sides).
    public func cut() {
        for pair in takePairs() {
            pair.client.end()
            pair.server.end()
        }
    }

    /// Breaks every open connection (RST on both sides).
    public func reset() {
        for pair in takePairs() {
            pair.client.reset()
            pair.server.reset()
        }
    }

    /// Ends every connection in the server's direction alone: FIN to the client, which may still send.
    public func halfClose() {
        for pair in state.withLock({ $0.pairs }) { pair.client.close() }
    }

    private func takePairs() -> [Pair] {
        state.withLock { state in
            defer { state.pairs = [] }
            return state.pairs
        }
    }

    private func accept() {
        while let accepted = try? listener.accept() {
            let (server, refuses) = state.withLock { ($0.server, $0.faults.refuses) }
            guard !refuses, let upstream = try? Socket(family: server.family),
                (try? upstream.connect(to: server)) != nil
            else { continue }
            let pair = Pair(client: Peer(accepted, on: loop), server: Peer(upstream, on: loop))
            state.withLock { $0.pairs.append(pair) }
            pair.client.start { [self] in pass($0, to: pair.server, fromServer: false) }
            pair.server.start { [self] in pass($0, to: pair.client, fromServer: true) }
        }
    }

    /// Forgets the pairs both sides of which have ended.
    private func forgetEnded() {
        state.withLock { $0.pairs.removeAll { $0.client.isOver && $0.server.isOver } }
    }

    private func pass(_ bytes: [UInt8]?, to peer: Peer, fromServer: Bool) {
        guard let bytes else {
            peer.close()
            return forgetEnded()
        }
        let (faults, passed) = state.withLock { state in
            if fromServer { state.passed += bytes.count }
            let faults = state.faults
            let passed = state.passed
            if let limit = faults.cutAfter, passed >= limit {
                if !faults.cutsAgain { state.faults.cutAfter = nil }
                state.passed = 0
            }
            return (faults, passed)
        }
        if fromServer ? faults.swallowsFromServer : faults.swallowsFromClient { return }
        if fromServer, let limit = faults.cutAfter, passed >= limit {
            peer.send(Array(bytes.prefix(max(0, limit - (passed - bytes.count)))))
            return cut()
        }
        var rest = bytes[...]
        if fromServer, let distance = faults.damagesOneOf.map({ max($0, 1) }) {
            for index in rest.indices where (passed - index) % distance == 0 { rest[index] ^= 0xff }
        }
        while !rest.isEmpty {
            let piece = Array(rest.prefix(faults.slice ?? rest.count))
            rest = rest.dropFirst(piece.count)
            peer.send(piece, after: faults.delay ?? .zero)
        }
    }
}
