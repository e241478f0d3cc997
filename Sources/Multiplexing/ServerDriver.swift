internal import BroadcasterSockets
package import BroadcasterWire
internal import Synchronization

/// Runs sessions with a server: a runner with the host that it lives on, from `start` to `stop`.
package final class ServerDriver: Driver {
    package let hub: Hub
    private let host: any RunnerHost
    private let runner: SessionRunner
    private let outcome = ConnectOutcome()
    private let publishes: PublishQueue
    private let shutdownTimeout: Duration
    private let lastPing = Atomic<Int>(0)

    /// A driver with an event loop of its own.
    ///
    /// - Parameter passwords: what goes before the backend's own source of them.
    package convenience init(
        _ backend: any Backend, passwords: PasswordSource? = nil, limits: ConnectionLimits,
        hub: Hub, observers: Observers
    ) throws(ConnectionFailure) {
        do throws(SocketError) {
            self.init(
                backend, on: try SocketHost(), passwords: passwords, limits: limits, hub: hub,
                observers: observers)
        } catch {
            throw .unreachable(error.description)
        }
    }

    /// A driver on a host of the caller's.
    package init(
        _ backend: any Backend, on host: any RunnerHost, passwords: PasswordSource? = nil,
        limits: ConnectionLimits, hub: Hub, observers: Observers
    ) {
        self.host = host
        self.hub = hub
        shutdownTimeout = limits.shutdownTimeout
        publishes = PublishQueue(timeout: limits.publishTimeout) { [weak host] in host?.now ?? .now
        }
        runner = SessionRunner(
            on: host, backend: backend, passwords: passwords, limits: limits,
            dispatcher: EventDispatcher(
                hub: hub, publishes: publishes, observers: observers, outcome: outcome,
                answerTimeout: limits.answerTimeout))
        // From now on calls wait, each to its deadline: for the first connection as for any other.
        let signal = { @Sendable [weak runner] () -> Void in runner?.post { $0.turn() } }
        hub.open(signal: signal)
        publishes.open(signal: signal)
    }

    deinit {
        host.stop()
    }

    package func start() async throws(ConnectionFailure) -> ServerIdentity {
        runner.post { $0.start() }
        let waiter = outcome.newWaiter()
        let result = await withTaskCancellationHandler {
            await outcome.opened(waiter)
        } onCancel: {
            outcome.abandon(waiter)
        }
        return try result.get()
    }

    package var isReady: Bool { outcome.isReady }
    /// Nothing runs any more.
    package var hasEnded: Bool { outcome.hasEnded }

    /// Ends a wait for the next attempt to connect.
    package func retryNow() {
        runner.post { $0.retryNow() }
    }

    package func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Receipt, PublishFailure> {
        await publishes.publish(payload, to: channel, isolation: isolation)
    }

    package func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Receipt, PublishFailure>] {
        await publishes.publish(payloads, to: channel, isolation: isolation)
    }

    package func ping() async throws(ConnectionFailure) -> Duration {
        let start = host.now
        let number = lastPing.wrappingAdd(1, ordering: .relaxed).newValue
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if !runner.post({ $0.ping(number, continuation) }) {
                    continuation.resume(returning: .closed)
                }
                if Task.isCancelled { runner.post { $0.dispatcher.cancelPing(number) } }
            }
        } onCancel: {
            runner.post { $0.dispatcher.cancelPing(number) }
        }
        if let failure { throw failure }
        return host.now - start
    }

    package func schedule(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        host.schedule(at: deadline, action)
    }

    package func expire(subscriber: Int, waitingSince start: Instant) {
        runner.post { [hub] in
            hub.cancelPending(subscriber, $0.state.unconfirmed(since: start))
        }
    }

    package func stop() async {
        let timeout = shutdownTimeout
        runner.post { $0.stop(within: timeout) }
        await outcome.ended()
        host.stop()
    }

    package var now: Instant { host.now }
    package var executor: (any TaskExecutor)? { host.taskExecutor }
    package var published: Int { publishes.published }
    /// The messages that wait to be sent.
    package var waitingToPublish: Int { publishes.unsentCount }
    package var reconnects: Int { outcome.reconnects }
}
