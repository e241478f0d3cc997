package import BroadcasterSockets
internal import Synchronization

/// A server on loopback that does what a test says: for faults that a real server does not make.
///
/// `script` is called on the server's loop with each piece that a client sends, and answers it.
package final class ScriptedServer: Sendable {
    /// One client, as the script sees it.
    package struct Client: Sendable {
        /// Counts from 0 in the order of connecting.
        package let number: Int
        fileprivate let peer: Peer

        package func send(_ bytes: [UInt8]) {
            peer.send(bytes)
        }

        package func send(_ text: String) {
            peer.send(Array(text.utf8))
        }

        /// FIN: what was sent before still arrives.
        package func close() {
            peer.close()
        }
    }

    package enum Happening: Sendable {
        case connected
        case received([UInt8])
        case closed
    }

    private let loop: EventLoop
    private let listener: Listener
    private let script: @Sendable (Happening, Client) -> Void
    private let count = Atomic<Int>(0)

    package init(_ script: @escaping @Sendable (Happening, Client) -> Void) throws {
        loop = try EventLoop(name: "scripted")
        listener = try Listener(
            at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0])
        self.script = script
        _ = try loop.watch(listener.watched, for: .readable) { [weak self] _ in self?.accept() }
    }

    deinit {
        loop.stop()
    }

    package var port: UInt16 { listener.address.port }

    package var connections: Int { count.load(ordering: .relaxed) }

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

/// A connected socket with its unsent bytes: what the scripted server and the proxy are made of.
package final class Peer: Sendable {
    private struct State {
        var unsent: [UInt8] = []
        var registration: EventLoop.Registration?
        var closesWhenSent = false
    }

    private let socket: Socket
    private let loop: EventLoop
    private let state = Mutex(State())

    package init(_ socket: Socket, on loop: EventLoop) {
        self.socket = socket
        self.loop = loop
    }

    /// Calls `received` with each piece that comes, and with nil at the end.
    package func start(_ received: @escaping @Sendable ([UInt8]?) -> Void) {
        let registration = try? loop.watch(socket, for: .readable) { [self] readiness in
            if readiness.contains(.writable) { flush() }
            guard !readiness.isDisjoint(with: [.readable, .failed]) else { return }
            var bytes: [UInt8] = []
            switch try? socket.read(to: &bytes, limit: 65_536) {
            case .bytes: received(bytes)
            case .wouldBlock: break
            case .end, nil:
                if end() { received(nil) }
            }
        }
        state.withLock { $0.registration = registration }
        flush()
    }

    package func send(_ bytes: [UInt8]) {
        state.withLock { $0.unsent += bytes }
        flush()
    }

    package func close() {
        state.withLock { $0.closesWhenSent = true }
        flush()
    }

    /// Stops watching, so that the socket closes when nobody holds it. False if that was done before.
    @discardableResult
    package func end() -> Bool {
        guard let registration = state.withLock({ $0.registration.take() }) else { return false }
        loop.unwatch(registration)
        return true
    }

    private func flush() {
        state.withLock { state in
            guard let registration = state.registration else { return }
            while !state.unsent.isEmpty {
                guard let count = try? socket.write(state.unsent, from: 0), count > 0 else { break }
                state.unsent.removeFirst(count)
            }
            if state.unsent.isEmpty, state.closesWhenSent { socket.finishWriting() }
            try? loop.change(
                registration, to: state.unsent.isEmpty ? .readable : [.readable, .writable])
        }
    }
}
