package import BroadcasterMultiplexing
package import BroadcasterSockets
package import BroadcasterWire
internal import Synchronization

/// The surroundings of a session runner in a test: its callers' threads, one at a time, and a clock that moves when the
/// test says so.
///
/// Work runs in `execute`, on the thread of the caller, and has been done when that returns; work that comes meanwhile
/// follows it. So a test sees the whole effect of each of its steps.
package final class ManualHost: RunnerHost, SerialExecutor {
    package typealias Completion = @Sendable (Result<any ByteStream, SocketError>) -> Void
    /// Answers an attempt to connect from this host, at once or later. The result cancels that.
    package typealias Connector =
        @Sendable (ManualHost, Endpoint, _ completion: @escaping Completion) -> @Sendable () -> Void

    private struct State {
        var items: [@Sendable () -> Void] = []
        var isStopped = false
        var afterTurn: (@Sendable () -> Void)?
    }

    private let clock: ManualClock
    private let connector: Connector
    private let state = Mutex(State())
    /// Held by the thread whose turn it is.
    private let turn = Mutex(())
    private let owner = Atomic<UInt>(0)

    package init(clock: ManualClock, connector: @escaping Connector) {
        self.clock = clock
        self.connector = connector
    }

    /// Calls `action` after each turn.
    package func afterEachTurn(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.afterTurn = action }
    }

    // MARK: The executor

    package var executor: UnownedSerialExecutor { unsafe asUnownedSerialExecutor() }
    package var taskExecutor: (any TaskExecutor)? { nil }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        execute { [self] in unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    package func isIsolatingCurrentContext() -> Bool? { isCurrentThread }

    package func checkIsolated() {
        precondition(isCurrentThread, "not in the host's turn")
    }

    private var isCurrentThread: Bool { owner.load(ordering: .relaxed) == Thread.current }

    @discardableResult
    package func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        let isAdded = state.withLock { state in
            if !state.isStopped { state.items.append(work) }
            return !state.isStopped
        }
        // From inside of a turn it follows what is under way.
        if isAdded, !isCurrentThread { takeTurn() }
        return isAdded
    }

    private func takeTurn() {
        turn.withLock { _ in
            owner.store(Thread.current, ordering: .relaxed)
            while let work = nextWork() { work() }
            owner.store(0, ordering: .relaxed)
        }
        let afterTurn = state.withLock { $0.afterTurn }
        afterTurn?()
    }

    private func nextWork() -> (@Sendable () -> Void)? {
        state.withLock { $0.items.isEmpty ? nil : $0.items.removeFirst() }
    }

    // MARK: Time and connections

    package var now: Instant { Instant(clock.now) }

    /// The middle, always.
    package func chance() -> Double { 0.5 }

    package func schedule(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        schedule(at: deadline, isCounted: true, action)
    }

    package func scheduleTurn(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        schedule(at: deadline, isCounted: false, action)
    }

    private func schedule(
        at deadline: Instant, isCounted: Bool, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let timer = clock.schedule(at: deadline.onClock, isCounted: isCounted) { [weak self] in
            _ = self?.execute(action)
        }
        return { [clock] in clock.cancel(timer) }
    }

    package func connect(
        to endpoint: Endpoint, deadline: Instant, completion: @escaping Completion
    ) -> @Sendable () -> Void {
        connector(self, endpoint) { [weak self] result in
            _ = self?.execute { completion(result) }
        }
    }

    package func coalesceReads() {}

    package func stop() {
        execute { [self] in state.withLock { $0.isStopped = true } }
    }
}
