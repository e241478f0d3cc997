package import BroadcasterSockets
internal import Synchronization

/// A proxy on loopback between a client and a server that cuts, slices, delays or swallows what passes.
package final class FaultyProxy: Sendable {
    package struct Faults: Sendable {
        /// Passes on pieces of at most this many bytes.
        package var slice: Int?
        /// Cuts both sides after this many more bytes from the server, once.
        package var cutAfter: Int?
        /// Passes on later.
        package var delay: Duration?
        /// Swallows what the server sends.
        package var swallowsFromServer = false
        /// Swallows what the client sends.
        package var swallowsFromClient = false

        package init() {}
    }

    private struct Pair {
        let client: Peer
        let server: Peer
    }

    private struct State {
        var faults = Faults()
        var pairs: [Pair] = []
        var passed = 0
        var accepts = true
    }

    private let loop: EventLoop
    private let listener: Listener
    private let server: SocketAddress
    private let state = Mutex(State())

    package init(to server: SocketAddress) throws {
        loop = try EventLoop(name: "proxy")
        listener = try Listener(at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0])
        self.server = server
        _ = try loop.watch(listener.watched, for: .readable) { [weak self] _ in self?.accept() }
    }

    deinit {
        loop.stop()
    }

    package var port: UInt16 { listener.address.port }

    package func set(_ change: @Sendable (inout Faults) -> Void) {
        state.withLock { state in
            change(&state.faults)
            state.passed = 0
        }
    }

    /// Cuts every connection that there is.
    package func cut() {
        let pairs = state.withLock { state in
            defer { state.pairs = [] }
            return state.pairs
        }
        for pair in pairs {
            pair.client.end()
            pair.server.end()
        }
    }

    private func accept() {
        while let accepted = try? listener.accept() {
            guard let upstream = try? Socket(family: server.family),
                (try? upstream.connect(to: server)) != nil
            else { continue }
            let pair = Pair(client: Peer(accepted, on: loop), server: Peer(upstream, on: loop))
            state.withLock { $0.pairs.append(pair) }
            pair.client.start { [self] in pass($0, to: pair.server, of: pair, fromServer: false) }
            pair.server.start { [self] in pass($0, to: pair.client, of: pair, fromServer: true) }
        }
    }

    private func pass(_ bytes: [UInt8]?, to peer: Peer, of pair: Pair, fromServer: Bool) {
        guard let bytes else { return peer.close() }
        let (faults, passed) = state.withLock { state in
            if fromServer { state.passed += bytes.count }
            let faults = state.faults
            if let limit = faults.cutAfter, state.passed >= limit { state.faults.cutAfter = nil }
            return (faults, state.passed)
        }
        if fromServer ? faults.swallowsFromServer : faults.swallowsFromClient { return }
        if fromServer, let limit = faults.cutAfter, passed >= limit {
            peer.send(Array(bytes.prefix(max(0, limit - (passed - bytes.count)))))
            return cut()
        }
        var rest = bytes[...]
        var moment = ContinuousClock.now
        while !rest.isEmpty {
            let piece = Array(rest.prefix(faults.slice ?? rest.count))
            rest = rest.dropFirst(piece.count)
            if let delay = faults.delay {
                moment += delay
                _ = loop.schedule(at: moment) { peer.send(piece) }
            } else {
                peer.send(piece)
            }
        }
    }
}
