internal import BroadcasterSockets
package import BroadcasterWire
internal import Synchronization

/// A runner with the loop that it lives on: one thread, from `start` to `stop`.
package final class ServerDriver: Driver {
    package let hub: Hub
    private let loop: EventLoop
    private let taskExecutor: LoopTaskExecutor
    private let runner: SessionRunner
    private let gate = ConnectOutcome()
    private let publishes: PublishQueue
    private let limits: ConnectionLimits
    private let lastPing = Atomic<Int>(0)

    package init(
        _ backend: any Backend, limits: ConnectionLimits, hub: Hub, observers: Observers
    ) throws(ConnectionFailure) {
        do throws(SocketError) {
            loop = try EventLoop(name: "broadcast")
        } catch {
            throw .unreachable(error.description)
        }
        taskExecutor = LoopTaskExecutor(loop)
        self.limits = limits
        self.hub = hub
        let turn = RunnerSignal()
        publishes = PublishQueue(timeout: limits.publishTimeout) { turn.signal() }
        runner = SessionRunner(
            on: loop, backend: backend, limits: limits, hub: hub, publishes: publishes,
            observers: observers, gate: gate)
        turn.attach(runner)
    }

    deinit {
        loop.stop()
    }

    package func start() async throws(ConnectionFailure) -> ServerIdentity {
        runner.post { $0.start() }
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
        runner.post { $0.turn() }
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

    package func ping() async throws(ConnectionFailure) -> Duration {
        let start = Instant.now
        let number = lastPing.wrappingAdd(1, ordering: .relaxed).newValue
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if !runner.post({ $0.ping(number, continuation) }) {
                    continuation.resume(returning: .closed)
                }
                if Task.isCancelled { runner.post { $0.abandonPing(number) } }
            }
        } onCancel: {
            runner.post { $0.abandonPing(number) }
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
        runner.post { $0.stop(within: timeout) }
        await gate.ended()
        loop.stop()
    }

    package var executor: (any TaskExecutor)? { taskExecutor }
    package var published: Int { publishes.published }
    package var reconnects: Int { gate.reconnects }
}
