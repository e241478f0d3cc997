package import BroadcasterWire
internal import Synchronization

/// One subscriber's side of the hub: the deliveries that wait for it, and the task that waits for them.
///
/// One lock, held for moments. The hub never waits for a subscriber, and a subscriber with deliveries queued never
/// leaves its thread.
package final class Mailbox: Sendable {
    private struct State {
        var content: MailboxState
        /// The task that waits for a delivery.
        var waiter: Waiter?
        /// Further tasks: the caller iterates several times at once.
        var others: [Waiter] = []
        var lastWaiter: UInt64 = 0

        mutating func takeWaiter(_ number: UInt64) -> Waiter? {
            if waiter?.number == number {
                defer { waiter = others.popLast() }
                return waiter
            }
            return others.firstIndex { $0.number == number }.map { others.remove(at: $0) }
        }
    }

    private struct Waiter {
        let number: UInt64
        let task: TaskWaiter<Void>
    }

    /// How much a mailbox has taken of a page.
    package enum Taken: Hashable, Sendable {
        case all
        /// Up to the message at this position; none where it is nil.
        case some(Position?)
    }

    private let state: Mutex<State>
    private let relieved: @Sendable () -> Void

    /// - Parameter relieved: called when there is room again for what was not taken, by whoever made the room.
    package init(limits: MailboxLimits, relieved: @escaping @Sendable () -> Void = {}) {
        state = Mutex(State(content: MailboxState(limits: limits)))
        self.relieved = relieved
    }

    // MARK: For the hub

    func offer(_ block: MessageBlock, _ runs: Range<Int>) {
        change { state in
            for run in runs { state.offer(block, run) }
        }
    }

    func take(_ block: MessageBlock, isLive: Bool) -> Taken {
        change { $0.take(block, isLive: isLive) }
    }

    func report(_ gap: DeliveryGap, of topic: Int) -> Taken {
        change { $0.report(gap, of: topic) }
        return .all
    }

    var isStarved: Bool { state.withLock { $0.content.isStarved } }
    var room: Int { state.withLock { $0.content.room } }

    func miss(_ topic: Int, _ gap: DeliveryGap) {
        change { $0.miss(topic, gap) }
    }

    func interrupt(_ topics: [Int], at now: Instant, reason: String) {
        change { $0.interrupt(topics, at: now, reason: reason) }
    }

    func restore(_ topic: Int, isResumed: Bool, at now: Instant) {
        change { $0.restore(topic, isResumed: isResumed, at: now) }
    }

    func leave(_ topics: [Int], at now: Instant) {
        change { $0.leave(topics, at: now) }
    }

    func finish(_ failure: SubscriptionFailure?) {
        change { $0.finish(failure) }
    }

    var counts: (waiting: Int, delivered: Int, dropped: Int) {
        state.withLock { ($0.content.count, $0.content.delivered, $0.content.dropped) }
    }

    /// Decides under the lock and wakes the tasks outside of it.
    private func change<Result: Sendable>(_ body: (inout MailboxState) -> Result) -> Result {
        let (result, first, others) = state.withLock { state -> (Result, Waiter?, [Waiter]) in
            let result = body(&state.content)
            guard state.waiter != nil, state.content.isReady else { return (result, nil, []) }
            defer { state.others = [] }
            return (result, state.waiter.take(), state.others)
        }
        first?.task.resume(returning: ())
        for other in others { other.task.resume(returning: ()) }
        return result
    }

    // MARK: For the subscriber

    /// Takes the next delivery; nil while there is none.
    package func poll() -> Delivery? {
        let (delivery, isRelieved) = state.withLock { state in
            (state.content.next(), state.content.takeRelief())
        }
        if isRelieved { relieved() }
        return delivery
    }

    /// Takes the next delivery, if it is a message.
    package func pollMessage() -> DeliveredMessage? {
        let (message, isRelieved) = state.withLock { state in
            (state.content.nextMessage(), state.content.takeRelief())
        }
        if isRelieved { relieved() }
        return message
    }

    package var isReady: Bool { state.withLock { $0.content.isReady } }

    /// Returns when there may be a delivery for `poll`, or the task is cancelled; on the caller's actor.
    package func wait(isolation: isolated (any Actor)?) async {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        // The closure stays on the caller's actor only if it names it: otherwise each wait would leave the actor and
        // come back, two thread switches more.
        await withTaskCancellationHandler(
            operation: {
                _ = isolation
                await TaskWaiter.wait(isolation: isolation) { task in
                    let isReady = state.withLock { state in
                        if state.content.isReady || Task.isCancelled { return true }
                        let new = Waiter(number: number, task: task)
                        if state.waiter == nil {
                            state.waiter = new
                        } else {
                            state.others.append(new)
                        }
                        return false
                    }
                    if isReady { task.resume(returning: ()) }
                }
            },
            onCancel: {
                let waiter = state.withLock { $0.takeWaiter(number) }
                waiter?.task.resume(returning: ())
            }, isolation: isolation)
    }
}
