internal import BroadcasterSockets
package import BroadcasterWire
internal import Synchronization

/// What bounds a link.
package struct LinkLimits: Hashable, Sendable {
    package var connectTimeout: Duration
    package var publishTimeout: Duration
    package var waitsForServer: Bool
    /// How long `stop` may take.
    package var shutdownTimeout: Duration
    /// Bytes that wait for the kernel; beyond it, messages wait with their publishers.
    package var unsentBytes: Int
    /// Bytes that came and are no whole message yet.
    package var unparsedBytes: Int

    package init(
        connectTimeout: Duration, publishTimeout: Duration, waitsForServer: Bool,
        shutdownTimeout: Duration, unsentBytes: Int, unparsedBytes: Int
    ) {
        self.connectTimeout = connectTimeout
        self.publishTimeout = publishTimeout
        self.waitsForServer = waitsForServer
        self.shutdownTimeout = shutdownTimeout
        self.unsentBytes = unsentBytes
        self.unparsedBytes = unparsedBytes
    }
}

/// A link with the loop that it lives on: one thread, from `start` to `stop`.
package final class LinkDriver: Driver {
    private let loop: EventLoop
    private let link: Link
    private let gate = Gate()
    private let publishes: PublishQueue
    private let limits: LinkLimits

    package init(
        _ backend: any Backend, limits: LinkLimits, hub: Hub, observers: Observers
    ) throws(LinkFailure) {
        do throws(SocketError) {
            loop = try EventLoop(name: "broadcast")
        } catch {
            throw .unreachable(error.description)
        }
        self.limits = limits
        let turn = Turn()
        publishes = PublishQueue(timeout: limits.publishTimeout) { turn.signal() }
        link = Link(
            on: loop, backend: backend, limits: limits, hub: hub, publishes: publishes,
            observers: observers, gate: gate)
        turn.attach(link)
    }

    deinit {
        loop.stop()
    }

    package func start() async throws(LinkFailure) -> ServerIdentity {
        link.post { $0.start() }
        let result = await withTaskCancellationHandler {
            await gate.opened()
        } onCancel: { [link] in
            link.post { $0.stop(within: .zero) }
        }
        return try result.get()
    }

    package func hubChanged() {
        link.post { $0.turn() }
    }

    package func publish(
        _ payload: Payload, to channel: String
    ) async -> Result<Int?, PublishFailure> {
        await publishes.publish(payload, to: channel)
    }

    package func publish(
        _ payloads: [Payload], to channel: String
    ) async -> [Result<Int?, PublishFailure>] {
        await publishes.publish(payloads, to: channel)
    }

    package func ping() async throws(LinkFailure) -> Duration {
        let start = Instant.now
        let failure = await withCheckedContinuation { continuation in
            if !link.post({ $0.ping(continuation) }) { continuation.resume(returning: .closed) }
        }
        if let failure { throw failure }
        return .now - start
    }

    package func schedule(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let timer = loop.schedule(at: deadline, action)
        return { [loop] in loop.cancel(timer) }
    }

    package func stop() async {
        let timeout = limits.shutdownTimeout
        link.post { $0.stop(within: timeout) }
        await gate.ended()
        loop.stop()
    }

    package var published: Int { publishes.published }
    package var reconnects: Int { gate.reconnects }
}

/// Breaks the circle between the queue, which signals, and the link, which owns the queue.
private final class Turn: Sendable {
    private struct WeakLink {
        weak var link: Link?
    }

    private let target = Mutex(WeakLink())

    func attach(_ link: Link) {
        target.withLock { $0.link = link }
    }

    func signal() {
        target.withLock { $0.link }?.post { $0.turn() }
    }
}

/// Where calls wait for a link's first success or failure, and for its end.
final class Gate: Sendable {
    private struct State {
        var result: Result<ServerIdentity, LinkFailure>?
        var isEnded = false
        var reconnects = 0
        var waitingForResult: [CheckedContinuation<Result<ServerIdentity, LinkFailure>, Never>] = []
        var waitingForEnd: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var reconnects: Int { state.withLock { $0.reconnects } }

    /// The first result stays; each later success is a reconnection.
    func open(_ result: Result<ServerIdentity, LinkFailure>) {
        let waiting = state.withLock { state in
            if state.result == nil {
                state.result = result
            } else if case .success = result {
                state.reconnects += 1
            }
            defer { state.waitingForResult = [] }
            return state.waitingForResult
        }
        for waiter in waiting { waiter.resume(returning: result) }
    }

    func end() {
        let waiting = state.withLock { state in
            state.isEnded = true
            defer { state.waitingForEnd = [] }
            return state.waitingForEnd
        }
        for waiter in waiting { waiter.resume() }
    }

    func opened() async -> Result<ServerIdentity, LinkFailure> {
        await withCheckedContinuation { continuation in
            let result = state.withLock { state in
                if state.result == nil { state.waitingForResult.append(continuation) }
                return state.result
            }
            if let result { continuation.resume(returning: result) }
        }
    }

    func ended() async {
        await withCheckedContinuation { continuation in
            let isEnded = state.withLock { state in
                if !state.isEnded { state.waitingForEnd.append(continuation) }
                return state.isEnded
            }
            if isEnded { continuation.resume() }
        }
    }
}
