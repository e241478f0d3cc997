package import BroadcasterWire
internal import Synchronization

/// Why a message was not published, or may not have been.
package enum PublishFailure: Error, Hashable, Sendable {
    /// Nothing of it was sent: there was no connection before the deadline.
    case notSent(String)
    /// It was sent, and the answer did not come: the server may have published it, or not.
    case outcomeUnknown(String)
    case refused(Rejection)
    /// The task was cancelled before anything was sent.
    case cancelled
    /// The broadcast is not connected, or no more.
    case closed
}

/// The messages on their way to the server, and the tasks that wait for their fate. A pure value.
///
/// A message is `unsent` until the session has taken it and `sent` until its answer comes. Whoever waits
/// may leave; a sent message keeps its place all the same, since its answer will come and
/// must not pass for another's (CVE-2023-28858).
package struct PublishQueueState<Waiter: Sendable>: Sendable {
    private struct Unsent: Numbered {
        let id: UInt64
        let deadline: Instant
        let channel: String
        var payload: Payload
        /// nil: cancelled, and passed over when its turn comes.
        var waiter: Waiter?
    }

    /// The answer is all that is waited for: the message itself is the session's.
    private struct Sent: Numbered {
        let id: UInt64
        let deadline: Instant
        var waiter: Waiter?
        var isAnswered = false
    }

    package typealias Settled = (waiter: Waiter, result: Result<Int?, PublishFailure>)

    private var unsent = Queue<Unsent>()
    private var sent = Queue<Sent>()
    /// The ticket of the first of `sent`; the others' follow on.
    private var firstTicket: UInt64 = 0
    /// How many at the front of `sent` have passed their deadline.
    private var overdue = 0
    private var isOpen = false
    package private(set) var published = 0

    /// Messages that are sent and not answered, at most: a server that takes them and does not answer
    /// must not fill our memory. The others wait unsent.
    package static var sentLimit: Int { 65_536 }

    package init() {}

    package var isIdle: Bool { unsent.isEmpty && sent.isEmpty }
    package var hasUnsent: Bool { !unsent.isEmpty }
    package var sentCount: Int { sent.count }

    package mutating func open() {
        isOpen = true
    }

    /// Adds a message. Deadlines come in ascending order. False if the queue is closed.
    package mutating func add(
        _ payload: Payload, to channel: String, id: UInt64, deadline: Instant, waiter: Waiter
    ) -> Bool {
        guard isOpen else { return false }
        unsent.append(
            Unsent(id: id, deadline: deadline, channel: channel, payload: payload, waiter: waiter))
        return true
    }

    /// What a message takes on the wire beside its bytes and its channel's name, or so.
    private static var frameSize: Int { 32 }

    /// Messages for the session, in order, at most `count`, until they take `limit` bytes together.
    package mutating func takeUnsent(limit: Int, count: Int = .max) -> [Publication] {
        var publications: [Publication] = []
        var size = 0
        let count = min(count, Self.sentLimit - sent.count)
        while size < limit, publications.count < count, let entry = unsent.removeFirst() {
            if entry.waiter == nil { continue }
            let ticket = firstTicket + UInt64(sent.count)
            sent.append(Sent(id: entry.id, deadline: entry.deadline, waiter: entry.waiter))
            publications.append(
                Publication(ticket: ticket, channel: entry.channel, payload: entry.payload))
            size += entry.payload.byteCount + entry.channel.utf8.count + Self.frameSize
        }
        return publications
    }

    /// The answer to a message. Most come in the order of sending.
    package mutating func answered(
        _ ticket: UInt64, _ result: Result<Int?, PublishFailure>
    ) -> Settled? {
        guard ticket >= firstTicket, ticket - firstTicket < UInt64(sent.count) else { return nil }
        let index = Int(ticket - firstTicket)
        let waiter: Waiter?
        if index == 0 {
            waiter = removeFirstSent()
            while sent.first?.isAnswered == true { _ = removeFirstSent() }
        } else {
            guard let entry = sent[index], !entry.isAnswered else { return nil }
            waiter = entry.waiter
            sent[index]?.isAnswered = true
            sent[index]?.waiter = nil
        }
        if case .success = result { published += 1 }
        return waiter.map { ($0, result) }
    }

    private mutating func removeFirstSent() -> Waiter? {
        firstTicket += 1
        if overdue > 0 { overdue -= 1 }
        return sent.removeFirst()?.waiter
    }

    /// The connection is gone: what was sent has no answer, what was not sent waits for the next one.
    package mutating func connectionLost(_ reason: String) -> [Settled] {
        var settled: [Settled] = []
        while let entry = sent.removeFirst() {
            firstTicket += 1
            if let waiter = entry.waiter {
                settled.append((waiter, .failure(.outcomeUnknown(reason))))
            }
        }
        overdue = 0
        return settled
    }

    /// Ends the waiting of those whose deadline has passed.
    package mutating func expire(at now: Instant, _ reason: String) -> [Settled] {
        var settled: [Settled] = []
        while overdue < sent.count, let entry = sent[overdue], entry.deadline <= now {
            if let waiter = entry.waiter {
                settled.append((waiter, .failure(.outcomeUnknown("no answer in time"))))
            }
            sent[overdue]?.waiter = nil
            overdue += 1
        }
        while let entry = unsent.first, entry.deadline <= now {
            _ = unsent.removeFirst()
            if let waiter = entry.waiter { settled.append((waiter, .failure(.notSent(reason)))) }
        }
        return settled
    }

    /// When `expire` next has something to do.
    package var nextDeadline: Instant? {
        let sentDeadline = overdue < sent.count ? sent[overdue]?.deadline : nil
        return [sentDeadline, unsent.first?.deadline].compactMap { $0 }.min()
    }

    /// Until when the answer that is due next was waited for.
    package var oldestSentDeadline: Instant? { sent.first?.deadline }

    /// The task that waits for these messages was cancelled.
    package mutating func cancel(_ ids: Range<UInt64>) -> [Settled] {
        var settled: [Settled] = []
        for index in Self.places(of: ids, in: sent) {
            guard let waiter = sent[index]?.waiter else { continue }
            sent[index]?.waiter = nil
            let failure = PublishFailure.outcomeUnknown("cancelled while waiting for the answer")
            settled.append((waiter, .failure(failure)))
        }
        for index in Self.places(of: ids, in: unsent) {
            guard let waiter = unsent[index]?.waiter else { continue }
            unsent[index]?.waiter = nil
            unsent[index]?.payload = .bytes([])
            settled.append((waiter, .failure(.cancelled)))
        }
        while let next = unsent.first, next.waiter == nil { _ = unsent.removeFirst() }
        return settled
    }

    /// Where the messages with these numbers are. Numbers are drawn before the queue is locked, so they ascend but for
    /// calls of the same moment: those not found where they belong are looked for everywhere.
    private static func places<Entry: Numbered>(
        of ids: Range<UInt64>, in queue: Queue<Entry>
    ) -> [Int] {
        var (start, end) = (0, queue.count)
        while start < end {
            let middle = start + (end - start) / 2
            if let entry = queue[middle], entry.id < ids.lowerBound {
                start = middle + 1
            } else {
                end = middle
            }
        }
        while end < queue.count, let entry = queue[end], ids.contains(entry.id) { end += 1 }
        if end - start == ids.count { return Array(start..<end) }
        return (0..<queue.count).filter { queue[$0].map { ids.contains($0.id) } ?? false }
    }

    /// Ends everything.
    package mutating func close() -> [Settled] {
        isOpen = false
        var settled = connectionLost("disconnected while waiting for the answer")
        while let entry = unsent.removeFirst() {
            if let waiter = entry.waiter { settled.append((waiter, .failure(.closed))) }
        }
        return settled
    }
}

/// What can be found by its number.
private protocol Numbered: Sendable {
    var id: UInt64 { get }
}

/// The lock around `PublishQueueState`, and the one place where its waiters are resumed.
package final class PublishQueue: Sendable {
    /// A task, or a place in a batch. No enum: as one, its copying was a tenth of what publishing took.
    struct Waiter: Sendable {
        var task: TaskWaiter<Result<Int?, PublishFailure>>?
        var batch: PublishBatch?
        var index = 0
    }

    typealias Settled = PublishQueueState<Waiter>.Settled

    private struct State {
        var queue = PublishQueueState<Waiter>()
        /// The driver has been told that there is something to send, and has not looked since.
        var isSignalled = false
    }

    private let state = Mutex(State())
    /// Numbers to cancel messages by.
    private let nextID = Atomic<UInt64>(0)
    private let timeout: Duration
    /// Tells the driver to come and take.
    private let signal: @Sendable () -> Void

    package init(timeout: Duration, signal: @escaping @Sendable () -> Void) {
        self.timeout = timeout
        self.signal = signal
    }

    // MARK: Publishers

    /// Returns when the server has accepted; see `PublishFailure` for the rest. Waits on the caller's actor.
    package func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Int?, PublishFailure> {
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

    /// As `publish`, for many messages that are sent in order without waiting for each other.
    package func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Int?, PublishFailure>] {
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
        let (accepted, mustSignal) = state.withLock { state in
            // Under the lock, so that deadlines ascend.
            let deadline = Instant.now + timeout
            var accepted = 0
            for payload in payloads {
                let isAdded = state.queue.add(
                    payload, to: channel, id: ids.lowerBound + UInt64(accepted),
                    deadline: deadline, waiter: waiter(accepted))
                if !isAdded { break }
                accepted += 1
            }
            defer { state.isSignalled = true }
            return (accepted, !state.isSignalled)
        }
        settle((accepted..<payloads.count).map { (waiter($0), .failure(.closed)) })
        if mustSignal { signal() }
    }

    private func cancel(_ ids: Range<UInt64>) {
        settle(state.withLock { $0.queue.cancel(ids) })
    }

    // MARK: The driver

    package func open() {
        state.withLock { state in
            state.queue.open()
            state.isSignalled = false
        }
    }

    package func takeUnsent(limit: Int, count: Int) -> [Publication] {
        state.withLock { state in
            state.isSignalled = false
            return state.queue.takeUnsent(limit: limit, count: count)
        }
    }

    /// There is no connection: hears of new messages, for their deadlines, but leaves them.
    package func acknowledgeSignal() {
        state.withLock { $0.isSignalled = false }
    }

    /// All answers that one read has brought, under one lock.
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

    package func connectionLost(_ reason: String) {
        settle(state.withLock { $0.queue.connectionLost(reason) })
    }

    package func expire(at now: Instant, _ reason: String) {
        settle(state.withLock { $0.queue.expire(at: now, reason) })
    }

    package func close() {
        settle(state.withLock { $0.queue.close() })
    }

    package var deadlines: (next: Instant?, oldestSent: Instant?) {
        state.withLock { ($0.queue.nextDeadline, $0.queue.oldestSentDeadline) }
    }
    package var hasUnsent: Bool { state.withLock { $0.queue.hasUnsent } }
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

/// The results of messages that one call publishes together.
final class PublishBatch: Sendable {
    typealias Outcome = Result<Int?, PublishFailure>

    private struct State {
        var results: [Outcome]
        var open: Int
        var task: TaskWaiter<[Outcome]>?
    }

    private let state: Mutex<State>

    init(count: Int, _ task: TaskWaiter<[Outcome]>) {
        let unsettled = Outcome.failure(.closed)
        state = Mutex(
            State(
                results: Array(repeating: unsettled, count: count), open: count, task: task))
    }

    func settle(_ settled: ArraySlice<PublishQueue.Settled>) {
        let finished = state.withLock { state in
            for (waiter, result) in settled { state.results[waiter.index] = result }
            state.open -= settled.count
            return state.open == 0 ? state.task.take().map { ($0, state.results) } : nil
        }
        if let (task, results) = finished { task.resume(returning: results) }
    }
}
