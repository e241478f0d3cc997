package import BroadcasterSockets
internal import Synchronization

/// A connected socket with its unsent bytes: one side of the scripted server and of the proxy.
package final class Peer: Sendable {
    private struct State {
        var unsent: [UInt8] = []
        var registration: EventLoop.Registration?
        var closesWhenSent = false
        /// FIN has been sent.
        var isFinished = false
        /// The time at which the last delayed piece is due.
        var lastDue = ContinuousClock.now
    }

    private let socket: Socket
    private let loop: EventLoop
    private let state = Mutex(State())

    package init(_ socket: Socket, on loop: EventLoop) {
        self.socket = socket
        self.loop = loop
    }

    /// Calls `received` with each piece that arrives, and with nil at the end.
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

    /// Sends later, and after the pieces that are already delayed.
    package func send(_ bytes: [UInt8], after delay: Duration) {
        let due = state.withLock { state -> ContinuousClock.Instant? in
            let now = ContinuousClock.now
            if delay <= .zero, state.lastDue <= now { return nil }
            state.lastDue = max(state.lastDue, now + delay)
            return state.lastDue
        }
        guard let due else { return send(bytes) }
        // Weakly: a connection that was cut closes now, whatever was to be sent on it.
        _ = loop.schedule(at: due) { [weak self] in self?.send(bytes) }
    }

    /// True once either side has ended the connection.
    package var isOver: Bool { state.withLock { $0.registration == nil } }

    /// Sends FIN after the unsent bytes, and goes on reading.
    package func close() {
        let due = state.withLock { $0.lastDue }
        guard due <= .now else {
            _ = loop.schedule(at: due) { [weak self] in self?.close() }
            return
        }
        state.withLock { $0.closesWhenSent = true }
        flush()
    }

    /// Sends RST: bytes sent and not read yet are lost too.
    package func reset() {
        socket.resetsWhenClosed()
        end()
    }

    /// Stops watching, so that the socket closes when its last owner goes. Returns false if that was done before.
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
            if state.unsent.isEmpty, state.closesWhenSent, !state.isFinished {
                state.isFinished = true
                socket.finishWriting()
            }
            try? loop.change(
                registration, to: state.unsent.isEmpty ? .readable : [.readable, .writable])
        }
    }
}
