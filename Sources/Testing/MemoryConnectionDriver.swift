internal import BroadcasterMultiplexing
internal import BroadcasterWire
internal import Synchronization

/// Runs `memory://` over a connection that can be lost: a `LocalDriver` for as long as it holds, and then another.
final class MemoryConnectionDriver: Driver {
    private typealias Waiter = CheckedContinuation<PublishFailure?, Never>

    private struct State {
        /// nil while the connection is lost.
        var current: LocalDriver?
        /// What becomes that when it is open.
        var opening: LocalDriver?
        var isStopped = false
        var reconnects = 0
        /// Of drivers that are gone.
        var published = 0
        var lastWaiter = 0
        /// Messages that wait for the connection.
        var waiters: [Int: Waiter] = [:]
    }

    let hub: Hub
    private let connection: MemoryConnection
    private let observers: Observers
    private let publishTimeout: Duration
    private let makeSession: @Sendable () -> any Session
    private let state = Mutex(State())

    init(
        _ connection: MemoryConnection, hub: Hub, observers: Observers, publishTimeout: Duration,
        makeSession: @escaping @Sendable () -> any Session
    ) {
        self.hub = hub
        self.connection = connection
        self.observers = observers
        self.publishTimeout = publishTimeout
        self.makeSession = makeSession
    }

    var now: Instant { Instant(connection.clock.now) }

    func start() async throws(ConnectionFailure) -> ServerIdentity {
        if let identity = state.withLock({ $0.current })?.identity { return identity }
        guard !connection.isLost else { throw .unreachable("the connection is lost") }
        connection.attach(self)
        return try open()
    }

    private func open() throws(ConnectionFailure) -> ServerIdentity {
        let clock = connection.clock
        let new = LocalDriver(makeSession(), hub: hub, observers: observers) { Instant(clock.now) }
        // Two calls of `connect()` at once open one driver.
        let next = state.withLock { state -> LocalDriver? in
            if state.isStopped { return nil }
            let next = state.current ?? state.opening ?? new
            if state.current == nil { state.opening = next }
            return next
        }
        guard let next else { throw .closed }
        let identity = try next.open()
        state.withLock { state in
            // Publishers find it from now on.
            guard state.opening === next, !state.isStopped, !connection.isLost else { return }
            state.current = state.opening.take()
        }
        // Whoever subscribed in between found nobody to tell.
        hubChanged()
        return identity
    }

    // MARK: What the test says

    func lose(_ reason: String) {
        let lost = state.withLock { state in
            state.published += state.current?.published ?? 0
            return state.current.take()
        }
        guard lost != nil else { return }
        hub.disconnected(at: now, reason: reason)
        let failure = ConnectionFailure.lost(reason)
        observers.status(.down(failure, retryIn: .zero))
        observers.log(.lost(failure, retryIn: .zero))
    }

    func restore() {
        let isNeeded = state.withLock { $0.current == nil && !$0.isStopped }
        guard isNeeded, (try? open()) != nil else { return }
        let waiters = state.withLock { state in
            state.reconnects += 1
            defer { state.waiters = [:] }
            return state.waiters
        }
        // In the order in which they came.
        for waiter in waiters.sorted(by: { $0.key < $1.key }) {
            waiter.value.resume(returning: nil)
        }
    }

    // MARK: Publishing

    func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Int?, PublishFailure> {
        while true {
            if let current = state.withLock({ $0.current }) {
                guard connection.takesLastMessage() else {
                    return await current.publish(payload, to: channel, isolation: isolation)
                }
                let reason = "lost by the test before the answer"
                lose(reason)
                return .failure(.outcomeUnknown(reason))
            }
            if let failure = await waitForConnection() { return .failure(failure) }
        }
    }

    func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Int?, PublishFailure>] {
        var results: [Result<Int?, PublishFailure>] = []
        for payload in payloads {
            results.append(await publish(payload, to: channel, isolation: isolation))
        }
        return results
    }

    /// Returns nil when the connection is there.
    private func waitForConnection() async -> PublishFailure? {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let deadline = now + publishTimeout
        let late = PublishFailure.notSent("no connection in time: lost by the test")
        let timer = connection.clock.schedule(at: deadline.onClock) { [weak self] in
            self?.end(number, late)
        }
        defer { connection.clock.cancel(timer) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let outcome: PublishFailure?? = state.withLock { state in
                    if state.isStopped { return .some(.closed) }
                    if state.current != nil { return .some(nil) }
                    state.waiters[number] = waiter
                    return nil
                }
                if let outcome { waiter.resume(returning: outcome) }
                if Task.isCancelled { end(number, .cancelled) }
                // The test may have moved the clock before there was anybody to wake.
                if now >= deadline { end(number, late) }
            }
        } onCancel: {
            end(number, .cancelled)
        }
    }

    private func end(_ number: Int, _ failure: PublishFailure) {
        state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(returning: failure)
    }

    // MARK: The rest of a driver

    var isReady: Bool { state.withLock { $0.current != nil } }

    func hubChanged() {
        state.withLock { $0.current }?.hubChanged()
    }

    func ping() async throws(ConnectionFailure) -> Duration {
        guard state.withLock({ $0.current }) != nil else { throw .closed }
        return .zero
    }

    func schedule(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let clock = connection.clock
        let timer = clock.schedule(at: deadline.onClock, action)
        return { clock.cancel(timer) }
    }

    func stop() async {
        let (current, waiters) = state.withLock { state in
            state.isStopped = true
            defer { state.waiters = [:] }
            return (state.current, state.waiters)
        }
        for waiter in waiters.values { waiter.resume(returning: .closed) }
        await current?.stop()
        hub.close()
        observers.status(.closed)
    }

    var published: Int { state.withLock { $0.published + ($0.current?.published ?? 0) } }
    var reconnects: Int { state.withLock { $0.reconnects } }
}
