package import BroadcasterWire
internal import Synchronization

/// Where messages meet their subscribers: many of these to one subscription on the server.
///
/// Any thread adds and removes subscribers; what the server says comes from the one thread, or under
/// the one lock, that drives the session, and in its order.
package final class Hub: Sendable {
    package typealias Waiter = CheckedContinuation<SubscriptionFailure?, Never>

    fileprivate struct State {
        var table = ChannelTable()
        /// Calls of `subscribe` that wait for the server's confirmation.
        var waiters: [Int: Waiter] = [:]
        var lastSubscriber = 0
        var isOpen = false
        var received = 0
        /// What mailboxes that are gone had counted.
        var delivered = 0
        var dropped = 0
    }

    package struct Counts: Hashable, Sendable {
        package var received = 0
        package var delivered = 0
        package var dropped = 0
        package var waiting = 0
        package var subscribers = 0
        package var topics = 0

        package init() {}
    }

    private let state = Mutex(State())
    private let maximumTopics: Int

    /// - Parameter maximumTopics: channels and patterns that may be subscribed at the same time.
    package init(maximumTopics: Int = .max) {
        self.maximumTopics = maximumTopics
    }

    // MARK: Subscribers

    package func newSubscriber() -> Int {
        state.withLock { state in
            state.lastSubscriber += 1
            return state.lastSubscriber
        }
    }

    /// Adds a subscriber. `waiter` is resumed once: with nil when the server has confirmed everything.
    package func add(
        _ mailbox: Mailbox, as id: Int, to topics: [TopicName], waiter: Waiter
    ) {
        let failure: SubscriptionFailure?? = state.withLock { state in
            guard state.isOpen else { return .some(.closed) }
            if state.table.topicCount + topics.count > maximumTopics,
                state.table.topicCount + state.table.newTopics(among: topics) > maximumTopics
            {
                return .some(.tooManyTopics(limit: maximumTopics))
            }
            if state.table.add(mailbox, as: id, to: topics) { return .some(nil) }
            state.waiters[id] = waiter
            return nil
        }
        if let failure { waiter.resume(returning: failure) }
    }

    /// Takes a subscriber out. Its mailbox keeps what it has; a call that waits for it fails.
    package func remove(_ id: Int, _ failure: SubscriptionFailure? = nil) {
        let (mailbox, waiter) = state.withLock { state in
            let mailbox = state.table.remove(id)
            if let mailbox { state.retire(mailbox) }
            return (mailbox, state.waiters.removeValue(forKey: id))
        }
        mailbox?.finish(failure)
        waiter?.resume(returning: failure ?? .cancelled)
    }

    /// As `remove`, if it is still waited for: a deadline or a cancellation that comes too late must not end a
    /// subscription that is established.
    package func cancelPending(_ id: Int, _ failure: SubscriptionFailure) {
        let (mailbox, waiter) = state.withLock { state in
            guard let waiter = state.waiters.removeValue(forKey: id) else {
                return (nil as Mailbox?, nil as Waiter?)
            }
            return (state.table.remove(id), waiter)
        }
        mailbox?.finish(failure)
        waiter?.resume(returning: failure)
    }

    package var counts: Counts {
        let (mailboxes, base) = state.withLock { state in
            var base = Counts()
            base.received = state.received
            base.delivered = state.delivered
            base.dropped = state.dropped
            base.subscribers = state.table.subscriberCount
            base.topics = state.table.topicCount
            return (state.table.mailboxes, base)
        }
        return mailboxes.reduce(into: base) { sum, mailbox in
            let counts = mailbox.counts
            sum.delivered += counts.delivered
            sum.dropped += counts.dropped
            sum.waiting += counts.waiting
        }
    }

    // MARK: The driver's side

    package func open() {
        state.withLock { $0.isOpen = true }
    }

    /// Ends everything, after what was received.
    package func close() {
        let (members, waiters) = state.withLock { state in
            state.isOpen = false
            defer { state.waiters = [:] }
            let members = state.table.removeAll()
            for member in members { state.retire(member.mailbox) }
            return (members, state.waiters)
        }
        for member in members { member.mailbox.finish(nil) }
        for waiter in waiters.values { waiter.resume(returning: .closed) }
    }

    package func connected() {
        state.withLock { $0.table.connected() }
    }

    package func disconnected(at now: Instant, reason: String) {
        let interrupted = state.withLock { $0.table.disconnected() }
        for mailbox in interrupted { mailbox.interrupt(at: now, reason: reason) }
    }

    package func takeRequests() -> (subscribe: [Topic], unsubscribe: [Topic]) {
        state.withLock { $0.table.takeRequests() }
    }

    package func deliver(_ block: MessageBlock) {
        if block.runCount > 1 { return deliverRuns(of: block) }
        let subscribers = state.withLock { state in
            state.received += block.extent(ofRun: 0).count
            return state.table.subscribers(of: block.topic(ofRun: 0))
        }
        subscribers.forEach { $0.mailbox.offer(block, 0..<1) }
    }

    /// One look at the table for all runs, and one at a mailbox for those that follow each other there.
    private func deliverRuns(of block: MessageBlock) {
        var deliveries: [(mailbox: Mailbox, runs: Range<Int>)] = []
        state.withLock { state in
            for number in 0..<block.runCount {
                state.received += block.extent(ofRun: number).count
                state.table.subscribers(of: block.topic(ofRun: number)).forEach { subscriber in
                    if let last = deliveries.last, last.mailbox === subscriber.mailbox,
                        last.runs.upperBound == number
                    {
                        deliveries[deliveries.count - 1].runs = last.runs.lowerBound..<number + 1
                    } else {
                        deliveries.append((subscriber.mailbox, number..<number + 1))
                    }
                }
            }
        }
        for delivery in deliveries { delivery.mailbox.offer(block, delivery.runs) }
    }

    package func confirmed(_ topic: Int, at now: Instant) {
        settle(state.withLock { $0.taking($0.table.confirmed(topic)) }, at: now)
    }

    /// Something for this topic was lost on its way.
    package func undeliverable(_ topic: Int, _ reason: String) {
        state.withLock { $0.table.subscribers(of: topic) }.forEach { $0.mailbox.miss(reason) }
    }

    package func unsubscribed(_ topic: Int) {
        state.withLock { $0.table.unsubscribed(topic) }
    }

    package func refused(_ topic: Int, _ rejection: Rejection, at now: Instant) {
        settle(state.withLock { $0.taking($0.table.refused(topic, rejection)) }, at: now)
    }

    package func name(of topic: Int) -> TopicName? {
        state.withLock { $0.table.name(of: topic) }
    }

    private func settle(_ outcomes: [(ChannelTable.Outcome, Waiter?)], at now: Instant) {
        for (outcome, waiter) in outcomes {
            switch outcome {
            case .established: waiter?.resume(returning: nil)
            case .restored(let mailbox): mailbox.resume(at: now)
            case .failed(_, let mailbox, let failure):
                mailbox.finish(failure)
                waiter?.resume(returning: failure)
            }
        }
    }
}

extension Hub.State {
    /// Takes the waiters that outcomes are for in the same moment, so that each has one fate.
    fileprivate mutating func taking(
        _ outcomes: [ChannelTable.Outcome]
    ) -> [(ChannelTable.Outcome, Hub.Waiter?)] {
        outcomes.map { outcome in
            switch outcome {
            case .established(let id): (outcome, waiters.removeValue(forKey: id))
            case .restored: (outcome, nil)
            case .failed(let id, let mailbox, _):
                (outcome, retiring(mailbox, waiters.removeValue(forKey: id)))
            }
        }
    }

    private mutating func retiring(_ mailbox: Mailbox, _ waiter: Hub.Waiter?) -> Hub.Waiter? {
        retire(mailbox)
        return waiter
    }

    /// Keeps the counts of a mailbox that leaves.
    fileprivate mutating func retire(_ mailbox: Mailbox) {
        let counts = mailbox.counts
        delivered += counts.delivered
        dropped += counts.dropped
    }
}
