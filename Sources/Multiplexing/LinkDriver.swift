internal import BroadcasterSockets
package import BroadcasterWire
internal import Synchronization

/// What bounds a link.
package struct LinkLimits: Hashable, Sendable {
    package var connectTimeout: Duration
    package var publishTimeout: Duration
    /// How long an answer may be overdue before the connection is given up.
    package var patience: Duration
    package var waitsForServer: Bool
    /// How long `stop` may take.
    package var shutdownTimeout: Duration
    /// Bytes that wait for the kernel; beyond it, messages wait with their publishers.
    package var unsentBytes: Int
    /// Bytes that came and are no whole message yet.
    package var unparsedBytes: Int

    package init(
        connectTimeout: Duration, publishTimeout: Duration, patience: Duration,
        waitsForServer: Bool,
        shutdownTimeout: Duration, unsentBytes: Int, unparsedBytes: Int
    ) {
        self.connectTimeout = connectTimeout
        self.publishTimeout = publishTimeout
        self.patience = patience
        self.waitsForServer = waitsForServer
        self.shutdownTimeout = shutdownTimeout
        self.unsentBytes = unsentBytes
        self.unparsedBytes = unparsedBytes
    }
}

/// A link with the loop that it lives on: one thread, from `start` to `stop`.
package final class LinkDriver: Driver {
    package let hub: Hub
    private let loop: EventLoop
    private let taskExecutor: LoopTaskExecutor
    private let link: Link
    private let gate = Gate()
    private let publishes: PublishQueue
    private let limits: LinkLimits
    private let lastPing = Atomic<Int>(0)

    package init(
        _ backend: any Backend, limits: LinkLimits, hub: Hub, observers: Observers
    ) throws(LinkFailure) {
        do throws(SocketError) {
            loop = try EventLoop(name: "broadcast")
        } catch {
            throw .unreachable(error.description)
        }
        taskExecutor = LoopTaskExecutor(loop)
        self.limits = limits
        self.hub = hub
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
        let waiter = gate.newWaiter()
        let result = await withTaskCancellationHandler {
            await gate.opened(waiter)
        } onCancel: {
            gate.abandon(waiter)
        }
        return try result.get()
    }

    package var isReady: Bool { gate.isReady }

    package func hubChanged() {
        link.post { $0.turn() }
    }

    package func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Int?, PublishFailure> {
        await publishes.publish(payload, to: channel, isolation: isolation)
    }

    package func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Int?, PublishFailure>] {
        await publishes.publish(payloads, to: channel, isolation: isolation)
    }

    package func ping() async throws(LinkFailure) -> Duration {
        let start = Instant.now
        let number = lastPing.wrappingAdd(1, ordering: .relaxed).newValue
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if !link.post({ $0.ping(number, continuation) }) {
                    continuation.resume(returning: .closed)
                }
                if Task.isCancelled { link.post { $0.abandonPing(number) } }
            }
        } onCancel: {
            link.post { $0.abandonPing(number) }
        }
        if let failure { throw failure }
        return .now - start
    }

    package func schedule(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let timer = loop.schedule(at: deadline.onClock, action)
        return { [loop] in loop.cancel(timer) }
    }

    package func stop() async {
        let timeout = limits.shutdownTimeout
        link.post { $0.stop(within: timeout) }
        await gate.ended()
        loop.stop()
    }

    package var executor: (any TaskExecutor)? { taskExecutor }
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
    typealias Outcome = Result<ServerIdentity, LinkFailure>

    private struct State {
        var result: Outcome?
        var isEnded = false
        var reconnects = 0
        var lastWaiter = 0
        /// Calls that have begun to wait, and not been abandoned.
        var expected: Set<Int> = []
        var waitingForResult: [Int: CheckedContinuation<Outcome, Never>] = [:]
        var waitingForEnd: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var reconnects: Int { state.withLock { $0.reconnects } }

    /// The connection has been there, and has not ended for good.
    var isReady: Bool {
        state.withLock { state in
            if case .success = state.result { !state.isEnded } else { false }
        }
    }

    /// The first result stays; each later success is a reconnection.
    func open(_ result: Outcome) {
        let waiting = state.withLock { state in
            if state.result == nil {
                state.result = result
            } else if case .success = result {
                state.reconnects += 1
            }
            defer { state.waitingForResult = [:] }
            return state.waitingForResult
        }
        for waiter in waiting.values { waiter.resume(returning: result) }
    }

    func end() {
        let waiting = state.withLock { state in
            state.isEnded = true
            defer { state.waitingForEnd = [] }
            return state.waitingForEnd
        }
        for waiter in waiting { waiter.resume() }
    }

    func newWaiter() -> Int {
        state.withLock { state in
            state.lastWaiter += 1
            state.expected.insert(state.lastWaiter)
            return state.lastWaiter
        }
    }

    func opened(_ waiter: Int) async -> Outcome {
        defer { state.withLock { _ = $0.expected.remove(waiter) } }
        return await withCheckedContinuation { continuation in
            let result: Outcome? = state.withLock { state in
                if let result = state.result { return result }
                if !state.expected.contains(waiter) { return .failure(.cancelled) }
                state.waitingForResult[waiter] = continuation
                return nil
            }
            if let result { continuation.resume(returning: result) }
        }
    }

    /// The task of this waiter was cancelled; the others go on.
    func abandon(_ waiter: Int) {
        let continuation = state.withLock { state in
            state.expected.remove(waiter)
            return state.waitingForResult.removeValue(forKey: waiter)
        }
        continuation?.resume(returning: .failure(.cancelled))
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
