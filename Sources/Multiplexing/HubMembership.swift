package import BroadcasterWire
internal import Synchronization

/// Topics that come to a subscriber, and leave it, while it runs.
extension Hub {
    /// Adds topics to a subscriber that runs; those that it has stay as they are. `waiter` is resumed once: with nil when
    /// the server has confirmed all. A call that fails leaves the subscriber with the topics that it had.
    ///
    /// - Parameters:
    ///   - call: the number by which `cancelPending` ends the call: from `newSubscriber`.
    ///   - start: where to begin in the histories of new channels, if the server keeps them.
    package func join(
        _ subscriber: Int, to topics: [TopicName], from start: HistoryStart = .new, as call: Int,
        waiter: Waiter
    ) {
        let (failure, signal) = state.withLock {
            state -> (SubscriptionFailure??, (@Sendable () -> Void)?) in
            guard state.isOpen else { return (.some(.closed), nil) }
            if let failure = tooMany(topics, state) { return (.some(failure), nil) }
            guard
                let joining = state.table.join(
                    call, subscriber, to: topics,
                    startsInHistory: keepsHistory && start.isAsked)
            else { return (.some(.ended), nil) }
            if keepsHistory {
                state.begin(joining.mailbox, as: subscriber, in: joining.added, at: start)
            }
            if joining.isConfirmed {
                return (.some(nil), joining.added.isEmpty ? nil : state.takeSignal())
            }
            state.waiters[call] = waiter
            return (nil, state.takeSignal())
        }
        if let failure { waiter.resume(returning: failure) }
        signal?()
    }

    /// Takes topics from a subscriber that runs. Its mailbox keeps what it has of them. A call that adds one of them waits
    /// for it no more.
    package func leave(_ subscriber: Int, _ topics: [TopicName], at now: Instant) {
        let (mailbox, left, waiters, signal) = state.withLock {
            state -> (Mailbox?, [Int], [Waiter], (@Sendable () -> Void)?) in
            guard let leaving = state.table.leave(subscriber, topics) else {
                return (nil, [], [], nil)
            }
            if keepsHistory { state.cursors.leave(subscriber, leaving.left) }
            let waiters = leaving.settled.compactMap { state.waiters.removeValue(forKey: $0) }
            return (leaving.mailbox, leaving.left, waiters, state.takeSignal())
        }
        mailbox?.leave(left, at: now)
        for waiter in waiters { waiter.resume(returning: nil) }
        signal?()
    }

    /// The topics that are a subscriber's now; nil if it runs no more.
    package func topics(of subscriber: Int) -> [TopicName]? {
        state.withLock { $0.table.topics(of: subscriber) }
    }
}
