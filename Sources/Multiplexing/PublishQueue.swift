package import BroadcasterWire
internal import Synchronization

/// The lock around `PublishQueueState`, and the one place that resumes its waiters.
package final class PublishQueue: Sendable {
    /// A task, or a place in a batch. No enum: as one, its copying was a tenth of what publishing took.
    struct Waiter: Sendable {
        var task: TaskWaiter<Result<Receipt, PublishFailure>>?
        var batch: PublishBatch?
        var index = 0
    }

    typealias Settled = PublishQueueState<Waiter>.Settled

    private struct State {
        var queue = PublishQueueState<Waiter>()
        /// True after a signal to the driver that it has not acted upon yet.
        var isSignalled = false
        /// Tells the driver to come and take.
        var signal: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    /// The next of the numbers by which messages are cancelled.
    private let nextID = Atomic<UInt64>(0)
    private let timeout: Duration
    private let clock: @Sendable () -> Instant

    /// - Parameters:
    ///   - timeout: for a connection, and for the server's answer.
    ///   - clock: the time that deadlines are counted in.
    package init(timeout: Duration, clock: @escaping @Sendable () -> Instant) {
        self.timeout = timeout
        self.clock = clock
    }

    // MARK: Publishers

    /// Publishes a message. Returns when the server has accepted it; see `PublishFailure` for the rest. Waits on the
    /// caller's actor.
    package func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Receipt, PublishFailure> {
        let ids = newIDs(1)
        // The closure names the actor, so as to stay on it; see `Mailbox.wait`.
        return await withTaskCancellationHandler(
            operation: {
                _ = isolation
                return await TaskWaiter.wait(isolation: isolation) { continuation in
                    add([payload], to: channel, ids) { _ in Waiter(task: continuation) }
                    if Task.isCancelled { cancel(ids) }
                }
            }, onCancel: { cancel(ids) }, isolation: isolation)
    }

    /// Publishes many messages as `publish` does one; they are sent in order without waiting for each other.
    package func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Receipt, PublishFailure>] {
        guard !payloads.isEmpty else { return [] }
        let ids = newIDs(payloads.count)
        return await withTaskCancellationHandler(
            operation: {
                _ = isolation
                return await TaskWaiter.wait(isolation: isolation) { task in
                    let batch = PublishBatch(count: payloads.count, task)
                    add(payloads, to: channel, ids) { Waiter(batch: batch, index: $0) }
                    if Task.isCancelled { cancel(ids) }
                }
            }, onCancel: { cancel(ids) }, isolation: isolation)
    }

    private func newIDs(_ count: Int) -> Range<UInt64> {
        let first = nextID.wrappingAdd(UInt64(count), ordering: .relaxed).oldValue
        return first..<first + UInt64(count)
    }

    private func add(
        _ payloads: [Payload], to channel: String, _ ids: Range<UInt64>, waiter: (Int) -> Waiter
    ) {
        let (accepted, signal) = state.withLock { state in
            // Under the lock, so that deadlines ascend.
            let deadline = clock() + timeout
            var accepted = 0
            for payload in payloads {
                let isAdded = state.queue.add(
                    payload, to: channel, id: ids.lowerBound + UInt64(accepted),
                    deadline: deadline, waiter: waiter(accepted))
                if !isAdded { break }
                accepted += 1
            }
            defer { state.isSignalled = true }
            return (accepted, state.isSignalled ? nil : state.signal)
        }
        settle((accepted..<payloads.count).map { (waiter($0), .failure(.closed)) })
        signal?()
    }

    private func cancel(_ ids: Range<UInt64>) {
        settle(state.withLock { $0.queue.cancel(ids) })
    }

    // MARK: The driver

    /// Opens the queue for publishers.
    ///
    /// - Parameter signal: tells the driver that there is something to take; called outside of the queue's lock.
    package func open(signal: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.queue.open()
            state.isSignalled = false
            state.signal = signal
        }
    }

    package func takeUnsent(limit: Int, count: Int) -> [Publication] {
        state.withLock { state in
            state.isSignalled = false
            return state.queue.takeUnsent(limit: limit, count: count)
        }
    }

    /// Acknowledges a signal without a connection: the driver notes the deadlines of new messages, and leaves the
    /// messages.
    package func acknowledgeSignal() {
        state.withLock { $0.isSignalled = false }
    }

    /// Settles all answers of one read, under one lock.
    package func accepted(_ acceptance: Acceptance) {
        settle(
            state.withLock { state in
                var settled: [Settled] = []
                settled.reserveCapacity(acceptance.count)
                for offset in 0..<acceptance.count {
                    let ticket = acceptance.firstTicket + UInt64(offset)
                    if let one = state.queue.answered(ticket, .success(acceptance[offset])) {
                        settled.append(one)
                    }
                }
                return settled
            })
    }

    package func refused(_ ticket: UInt64, _ rejection: Rejection) {
        let settled = state.withLock { $0.queue.answered(ticket, .failure(.refused(rejection))) }
        settle(settled.map { [$0] } ?? [])
    }

    package func lost(_ ticket: UInt64, _ reason: String) {
        settle(state.withLock { $0.queue.lost(ticket, reason) }.map { [$0] } ?? [])
    }

    package func connectionLost(_ reason: String) {
        settle(state.withLock { $0.queue.connectionLost(reason) })
    }

    package func expire(at now: Instant, _ reason: String) {
        settle(state.withLock { $0.queue.expire(at: now, reason) })
    }

    /// - Parameter failure: of the messages that were not sent.
    package func close(_ failure: PublishFailure = .closed) {
        settle(state.withLock { $0.queue.close(failure) })
    }

    package var deadlines: (next: Instant?, oldestSent: Instant?) {
        state.withLock { ($0.queue.nextDeadline, $0.queue.oldestSentDeadline) }
    }
    package var hasUnsent: Bool { state.withLock { $0.queue.hasUnsent } }
    package var unsentCount: Int { state.withLock { $0.queue.unsentCount } }
    package var isIdle: Bool { state.withLock { $0.queue.isIdle } }
    package var sentCount: Int { state.withLock { $0.queue.sentCount } }
    package var published: Int { state.withLock { $0.queue.published } }

    private func settle(_ settled: [Settled]) {
        var next = 0
        while next < settled.count {
            let (waiter, result) = settled[next]
            if let batch = waiter.batch {
                let end = settled[next...].firstIndex { $0.waiter.batch !== batch }
                batch.settle(settled[next..<(end ?? settled.count)])
                next = end ?? settled.count
            } else {
                waiter.task?.resume(returning: result)
                next += 1
            }
        }
    }
}
