internal import BroadcasterWire
internal import Synchronization

/// One subscriber's side of the hub: what waits for it, and the task that waits for that.
///
/// One lock, held for moments. The hub never waits for a subscriber, and a subscriber that has something
/// in hand never leaves its thread.
package final class Mailbox: Sendable {
    private struct State {
        var content: MailboxState
        /// Tasks that wait for something to come; one, unless the caller iterates twice at once.
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let state: Mutex<State>

    package init(limits: MailboxLimits) {
        state = Mutex(State(content: MailboxState(limits: limits)))
    }

    // MARK: The hub's side

    func offer(_ run: MessageRun) {
        change { $0.offer(run) }
    }

    func miss(_ reason: String) {
        change { $0.miss(reason) }
    }

    func interrupt(at now: Instant, reason: String) {
        change { $0.interrupt(at: now, reason: reason) }
    }

    func resume(at now: Instant) {
        change { $0.resume(at: now) }
    }

    func finish(_ failure: SubscriptionFailure?) {
        change { $0.finish(failure) }
    }

    var counts: (waiting: Int, delivered: Int, dropped: Int) {
        state.withLock { ($0.content.count, $0.content.delivered, $0.content.dropped) }
    }

    /// Decides under the lock and wakes outside of it.
    private func change(_ body: (inout MailboxState) -> Void) {
        let woken = state.withLock { state -> [UInt64: CheckedContinuation<Void, Never>] in
            body(&state.content)
            guard !state.waiters.isEmpty, state.content.isReady else { return [:] }
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in woken.values { waiter.resume() }
    }

    // MARK: The subscriber's side

    /// The next delivery, or nil while there is none.
    package func poll() -> Delivery? {
        state.withLock { $0.content.next() }
    }

    package var isReady: Bool { state.withLock { $0.content.isReady } }

    /// The next delivery. Waits for it, on the caller's actor; nil when the task is cancelled.
    package func next(isolation: isolated (any Actor)?) async -> Delivery? {
        while !Task.isCancelled {
            if let delivery = poll() { return delivery }
            await wait()
        }
        return nil
    }

    private nonisolated(nonsending) func wait() async {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.content.isReady || Task.isCancelled { return true }
                    state.waiters[number] = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
            waiter?.resume()
        }
    }
}
