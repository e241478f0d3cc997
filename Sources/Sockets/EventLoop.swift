internal import Synchronization

/// One thread that waits for sockets, timers and work from other threads, and runs their handlers.
///
/// It is a `SerialExecutor`, so an actor can live on it: a handler that the loop calls enters the actor with
/// `assumeIsolated`, without a hop. A turn of the loop is: wait; handlers of ready sockets; timers that are due;
/// work, until there is none left. So a peer's bytes count before the deadline that they were late for, and work that
/// handlers leave to the end of the turn, such as writing, is done once.
package final class EventLoop: SerialExecutor {
    package typealias Work = @Sendable () -> Void

    /// The identity of a watched socket. Never used again, unlike its descriptor's number.
    package struct Registration: Hashable, Sendable {
        fileprivate let token: UInt64
        fileprivate let number: Int32
    }

    package struct Timer: Hashable, Sendable {
        fileprivate let id: TimerQueue.ID
    }

    private enum Item {
        case work(Work)
        /// A job of an actor that lives here.
        case job(UnownedJob)
        /// A job of a task that prefers to run here.
        case task(UnownedJob, LoopTaskExecutor)
    }

    private struct State {
        var items: [Item] = []
        var handlers: [UInt64: @Sendable (Readiness) -> Void] = [:]
        var timers = TimerQueue()
        var lastToken: UInt64 = 0
        /// The thread is in `wait`, or about to enter it, and must be woken.
        var isAsleep = false
        var isStopped = false
        /// Jobs of actors that came after the stop.
        var late: [UnownedJob] = []
        /// A thread runs those; at first, the loop's own.
        var runsLate = true
    }

    private let epoll: Epoll
    private let state = Mutex(State())
    private let coalesces = Atomic<Bool>(false)
    private let thread = Atomic<UInt>(0)

    /// Starts the thread. It runs until `stop`.
    package init(name: String) throws(SocketError) {
        epoll = try Epoll()
        try Thread.start(name) { [self] in run() }
    }

    // MARK: Work from any thread

    /// Runs `work` on the loop, after earlier work. Returns false if the loop has stopped.
    @discardableResult
    package func execute(_ work: @escaping Work) -> Bool {
        add(.work(work))
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // After the stop there is no loop thread left, and a job must not be dropped.
        if !add(.job(job)) { runAfterStop(job) }
    }

    /// Runs the job on the calling thread, or leaves it to the thread that runs such jobs now: an actor's are never two
    /// at a time.
    private func runAfterStop(_ job: UnownedJob) {
        let isBusy = state.withLock { state in
            state.late.append(job)
            defer { state.runsLate = true }
            return state.runsLate
        }
        if !isBusy { runLate() }
    }

    private func runLate() {
        while let job = state.withLock({ state -> UnownedJob? in
            state.runsLate = !state.late.isEmpty
            return state.late.isEmpty ? nil : state.late.removeFirst()
        }) {
            run(job)
        }
    }

    /// Returns false if the loop has stopped.
    func enqueue(_ job: UnownedJob, of executor: LoopTaskExecutor) -> Bool {
        add(.task(job, executor))
    }

    private func add(_ item: Item) -> Bool {
        let (isAdded, mustWake) = state.withLock { state in
            guard !state.isStopped else { return (false, false) }
            state.items.append(item)
            defer { state.isAsleep = false }
            return (true, state.isAsleep)
        }
        if mustWake { epoll.wake() }
        return isAdded
    }

    package func isIsolatingCurrentContext() -> Bool? {
        isCurrentThread
    }

    package func checkIsolated() {
        precondition(isCurrentThread, "not on the event loop's thread")
    }

    package var isCurrentThread: Bool {
        thread.load(ordering: .relaxed) == Thread.current
    }

    // MARK: Sockets and timers

    /// Calls `handler` on the loop whenever `socket` is ready for an operation in `interest`.
    package func watch(
        _ socket: Socket, for interest: Readiness,
        handler: @escaping @Sendable (Readiness) -> Void
    ) throws(SocketError) -> Registration {
        let token = state.withLock { state in
            state.lastToken += 1
            state.handlers[state.lastToken] = handler
            return state.lastToken
        }
        do throws(SocketError) {
            try epoll.add(socket.number, interest, token: token)
        } catch {
            state.withLock { $0.handlers[token] = nil }
            throw error
        }
        return Registration(token: token, number: socket.number)
    }

    package func change(
        _ registration: Registration, to interest: Readiness
    ) throws(SocketError) {
        try epoll.change(registration.number, interest, token: registration.token)
    }

    /// Ends the calls of the handler, even for an event that has already been read. Must precede the closing of the
    /// socket.
    package func unwatch(_ registration: Registration) {
        let wasThere = state.withLock { $0.handlers.removeValue(forKey: registration.token) != nil }
        if wasThere { epoll.remove(registration.number) }
    }

    package func schedule(
        at deadline: ContinuousClock.Instant, _ action: @escaping Work
    ) -> Timer {
        let (timer, mustWake) = state.withLock { state in
            let isEarliest = state.timers.earliest.map { deadline < $0 } ?? true
            let timer = Timer(id: state.timers.add(at: deadline, action))
            defer { if isEarliest { state.isAsleep = false } }
            return (timer, isEarliest && state.isAsleep)
        }
        if mustWake { epoll.wake() }
        return timer
    }

    package func cancel(_ timer: Timer) {
        state.withLock { $0.timers.cancel(timer.id) }
    }

    // MARK: The thread

    /// Ends the loop after the work that was added before.
    package func stop() {
        execute { [self] in state.withLock { $0.isStopped = true } }
    }

    private func run() {
        thread.store(Thread.current, ordering: .relaxed)
        while !state.withLock({ $0.isStopped }) { turn() }
        // Work may have been added between the last look and the stop.
        runWork()
        runLate()
        state.withLock { state in
            state.handlers.removeAll()
            state.timers = TimerQueue()
        }
    }

    /// Delays the next look at the sockets, so that a socket that has brought much gathers more, as network cards do
    /// with their interrupts. New work wakes the loop as always. Must be called on the loop's thread.
    ///
    /// A stream of a million small messages a second then comes in reads of 60 KB in place of 25, and its subscribers
    /// are woken as much less often: a quarter less CPU time a message.
    package func coalesceReads() {
        coalesces.store(true, ordering: .relaxed)
    }

    /// The microseconds of the delay: short beside the time that a server which sends so much takes to deliver it.
    private static let coalescingTime = 300

    private func turn() {
        let isCoalescing = coalesces.exchange(false, ordering: .relaxed)
        // Precedes the look at the work: a wake-up for later work must not be forgotten.
        if isCoalescing { epoll.clearWakeups() }
        let limit = sleepTime()
        if isCoalescing, limit != 0 { epoll.waitForWakeup(microseconds: EventLoop.coalescingTime) }
        do throws(SocketError) {
            var events = try epoll.wait(milliseconds: limit)
            // The wait may have ended long ago, if this process was suspended: bytes that came since count before
            // deadlines.
            if limit > 0, events.isEmpty, isTimerDue { events = try epoll.wait(milliseconds: 0) }
            for event in events {
                let handler = state.withLock { $0.handlers[event.token] }
                handler?(event.readiness)
            }
        } catch {
            // EBADF and EINVAL alone are left (epoll_wait(2)): other code closed the loop's descriptor.
            preconditionFailure(error.description)
        }
        let due = state.withLock { state in
            state.isAsleep = false
            return state.timers.earliest == nil ? [] : state.timers.takeDue(.now)
        }
        for action in due { action() }
        runWork()
    }

    private var isTimerDue: Bool {
        state.withLock { $0.timers.earliest.map { $0 <= .now } ?? false }
    }

    /// Runs the work, also the work that it adds itself; at most 16 rounds, since sockets must have their turn too.
    private func runWork() {
        for _ in 0..<16 {
            let items = state.withLock { state in
                defer { state.items = [] }
                return state.items
            }
            if items.isEmpty { return }
            for item in items {
                switch item {
                case .work(let work): work()
                case .job(let job): run(job)
                case .task(let job, let executor):
                    unsafe job.runSynchronously(on: executor.asUnownedTaskExecutor())
                }
            }
        }
    }

    private func run(_ job: UnownedJob) {
        unsafe job.runSynchronously(on: asUnownedSerialExecutor())
    }

    /// The milliseconds until the next timer, rounded up so that it is due then; -1 without one.
    private func sleepTime() -> Int32 {
        state.withLock { state in
            guard state.items.isEmpty, !state.isStopped else { return 0 }
            state.isAsleep = true
            guard let earliest = state.timers.earliest else { return -1 }
            let left = earliest - .now
            guard left > .zero else { return 0 }
            // An hour at most: the loop then looks again at a timer further away.
            let parts = min(left, .seconds(3600)).components
            return Int32(parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000 + 1)
        }
    }
}
