package import BroadcasterWire
internal import Synchronization

/// The place where messages meet their subscribers: many of these to one subscription on the server.
///
/// Any thread adds and removes subscribers, and the hub tells its driver of that; what the server says comes from the
/// one thread, or under the one lock, that runs the session, and in its order.
package final class Hub: Sendable {
    package typealias Waiter = CheckedContinuation<SubscriptionFailure?, Never>

    struct State {
        var table = ChannelTable()
        /// The readers of channels whose history the server keeps.
        var cursors = CursorTable()
        /// The places at which new subscribers begin, before `subscribe` returns.
        var starts: [Int: [String: Position]] = [:]
        /// The calls of `subscribe` that wait for the server's confirmation.
        var waiters: [Int: Waiter] = [:]
        var lastSubscriber = 0
        var isOpen = false
        /// The driver has been told of changes, and has not taken the requests since.
        var isSignalled = false
        /// Tells the driver that there may be requests.
        var signal: (@Sendable () -> Void)?
        var received = 0
        /// The counts of mailboxes that are gone.
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
        /// The topics that no server delivers now.
        package var unserved = 0

        package init() {}
    }

    let state = Mutex(State())
    private let maximumTopics: Int
    /// The server keeps the channels' histories, and subscribers read from there.
    let keepsHistory: Bool

    /// - Parameters:
    ///   - maximumTopics: channels and patterns that may be subscribed at the same time.
    ///   - keepsHistory: whether channels are read from the history that the server keeps.
    package init(maximumTopics: Int = .max, keepsHistory: Bool = false) {
        self.maximumTopics = maximumTopics
        self.keepsHistory = keepsHistory
    }

    // MARK: Subscribers

    package func newSubscriber() -> Int {
        state.withLock { state in
            state.lastSubscriber += 1
            return state.lastSubscriber
        }
    }

    /// Adds a subscriber. `waiter` is resumed once: with nil when the server has confirmed everything.
    ///
    /// - Parameter start: where it begins in the channels' histories, if the server keeps them.
    package func add(
        _ mailbox: Mailbox, as id: Int, to topics: [TopicName], from start: HistoryStart = .new,
        waiter: Waiter
    ) {
        let (failure, signal) = state.withLock {
            state -> (SubscriptionFailure??, (@Sendable () -> Void)?) in
            guard state.isOpen else { return (.some(.closed), nil) }
            if let failure = tooMany(topics, state) { return (.some(failure), nil) }
            let isEstablished = state.table.add(
                mailbox, as: id, to: topics, startsInHistory: keepsHistory && start.isAsked)
            if keepsHistory {
                state.begin(mailbox, as: id, in: state.table.channels(of: id), at: start)
            }
            // It may be established and have pages to read.
            if isEstablished { return (.some(nil), keepsHistory ? state.takeSignal() : nil) }
            state.waiters[id] = waiter
            return (nil, state.takeSignal())
        }
        if let failure { waiter.resume(returning: failure) }
        signal?()
    }

    func tooMany(_ topics: [TopicName], _ state: State) -> SubscriptionFailure? {
        guard state.table.topicCount + topics.count > maximumTopics,
            state.table.topicCount + state.table.newTopics(among: topics) > maximumTopics
        else { return nil }
        return .tooManyTopics(limit: maximumTopics)
    }

    /// Takes a subscriber out. Its mailbox keeps what it has; a call that waits for it fails.
    package func remove(_ id: Int, _ failure: SubscriptionFailure? = nil) {
        let (mailbox, waiters, signal) = state.withLock { state in
            let waiting = [id] + state.table.takeCalls(of: id)
            let mailbox = state.takeOut(id)
            if let mailbox { state.retire(mailbox) }
            let waiters = waiting.compactMap { state.waiters.removeValue(forKey: $0) }
            return (mailbox, waiters, state.takeSignal())
        }
        mailbox?.finish(failure)
        for waiter in waiters { waiter.resume(returning: failure ?? .cancelled) }
        signal?()
    }

    /// Does the same as `remove`, if the subscription is still waited for: a deadline or a cancellation that comes too late must not end a
    /// subscription that is established.
    package func cancelPending(_ id: Int, _ failure: SubscriptionFailure) {
        let cancelled = state.withLock { state in
            state.waiters.removeValue(forKey: id).map { waiter in
                state.abandon(id, failure)
                return (mailbox: state.takeOut(id), waiter: waiter, signal: state.takeSignal())
            }
        }
        guard let cancelled else { return }
        cancelled.mailbox?.finish(failure)
        cancelled.waiter.resume(returning: failure)
        cancelled.signal?()
    }

    /// True if a call of `subscribe` waits for the server.
    var isAwaited: Bool { state.withLock { !$0.waiters.isEmpty } }

    package var counts: Counts {
        let (mailboxes, base) = state.withLock { state in
            var base = Counts()
            base.received = state.received
            base.delivered = state.delivered
            base.dropped = state.dropped
            base.subscribers = state.table.subscriberCount
            base.topics = state.table.topicCount
            base.unserved = state.table.unservedCount
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

    /// Opens the hub for subscribers.
    ///
    /// - Parameter signal: tells the driver that there may be requests to take; called outside of the hub's lock.
    package func open(signal: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.isOpen = true
            state.isSignalled = false
            state.signal = signal
        }
    }

    /// Ends all subscriptions, after what was received.
    ///
    /// - Parameter failure: of the calls that still wait.
    package func close(_ failure: SubscriptionFailure = .closed) {
        let (members, waiters, calls) = state.withLock { state in
            state.isOpen = false
            state.signal = nil
            defer { state.waiters = [:] }
            let members = state.table.removeAll()
            for member in members { state.retire(member.mailbox) }
            return (members, state.waiters, state.cursors.close())
        }
        for member in members { member.mailbox.finish(nil) }
        for waiter in waiters.values { waiter.resume(returning: failure) }
        for call in calls { call.resume(returning: .failure(failure)) }
    }

    package func connected() {
        state.withLock { $0.table.connected() }
    }

    /// All topics have lost their source: the case of all of them, by the code for some.
    ///
    /// - Parameter since: the moment since which messages may be missing.
    package func disconnected(since: Instant, reason: String) {
        let missed = state.withLock { state in
            state.cursors.disconnected()
            return lossy(state.table.disconnected(), state)
        }
        interrupt(missed, at: since, reason)
    }

    /// These topics have lost their source together.
    package func interrupted(_ topics: [Int], at now: Instant, reason: String) {
        interrupt(state.withLock { lossy($0.table.interrupted(topics), $0) }, at: now, reason)
    }

    /// Leaves out the channels whose history the server keeps: nothing is missing there until a page says so.
    private func lossy(
        _ subscribers: [ChannelTable.Missed], _ state: State
    ) -> [ChannelTable.Missed] {
        guard keepsHistory else { return subscribers }
        return subscribers.map { missed in
            var missed = missed
            missed.topics.removeAll { state.table.name(of: $0)?.isPattern != true }
            return missed
        }
    }

    private func interrupt(
        _ subscribers: [ChannelTable.Missed], at now: Instant, _ reason: String
    ) {
        for missed in subscribers {
            missed.mailbox.interrupt(missed.topics, at: now, reason: reason)
        }
        // A topic that was left since has nobody who closes its gap.
        let left = state.withLock { state in
            subscribers.map { missed in
                missed.topics.filter { !state.table.has(missed.subscriber, $0) }
            }
        }
        for (missed, left) in zip(subscribers, left) where !left.isEmpty {
            missed.mailbox.leave(left, at: now)
        }
    }

    /// The commands that bring the server to what subscribers want.
    package func takeCommands(at now: Instant? = nil) -> [Command] {
        let (commands, handOuts) = state.withLock { state in
            state.isSignalled = false
            let wanted = state.table.takeRequests()
            var commands: [Command] = []
            if !wanted.subscribe.isEmpty { commands.append(.subscribe(wanted.subscribe)) }
            if !wanted.unsubscribe.isEmpty { commands.append(.unsubscribe(wanted.unsubscribe)) }
            if keepsHistory, state.table.isConnected {
                let requests = state.cursors.takeRequests(at: now)
                if !requests.isEmpty { commands.append(.read(requests)) }
            }
            return (commands, state.cursors.takeHandOuts())
        }
        if handOuts.isEmpty { return commands }
        hand(out: handOuts)
        return commands + takeCommands(at: now)
    }

    /// Takes note of a signal without taking requests: there is no server to ask.
    package func acknowledgeSignal() {
        state.withLock { $0.isSignalled = false }
    }

    package func deliver(_ block: MessageBlock) {
        if block.runCount > 1 { return deliverRuns(of: block) }
        let subscribers = state.withLock { state in
            state.received += block.extent(ofRun: 0).count
            return state.table.subscribers(of: block.topic(ofRun: 0))
        }
        subscribers.forEach { $0.mailbox.offer(block, 0..<1) }
    }

    /// One lock for all runs; adjacent runs for one mailbox are grouped.
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

    /// - Parameter isResumed: where its subscribers stood, so that they have missed nothing.
    package func confirmed(_ topic: Int, isResumed: Bool = false, at now: Instant) {
        act(
            on: state.withLock { $0.taking($0.table.confirmed(topic)) }, topic,
            isResumed: isResumed,
            at: now)
    }

    func act(
        on outcomes: [(ChannelTable.Outcome, Waiter?)], _ topic: Int, isResumed: Bool,
        at now: Instant
    ) {
        for (outcome, waiter) in outcomes {
            switch outcome {
            case .established, .failed, .abandoned: waiter?.resume(returning: nil)
            case .restored(let mailbox):
                mailbox.restore(topic, isResumed: isResumed, at: now)
            }
        }
    }

    /// Reports that something for this topic was lost on its way, or at the server.
    package func miss(_ topic: Int, _ gap: DeliveryGap) {
        state.withLock { $0.table.subscribers(of: topic) }.forEach {
            $0.mailbox.miss(topic, gap)
        }
    }

    package func unsubscribed(_ topic: Int) {
        state.withLock { state in
            state.table.unsubscribed(topic)
            if keepsHistory { state.cursors.unsubscribed(topic) }
        }
    }

    package func refused(_ topic: Int, _ rejection: Rejection) {
        let outcomes = state.withLock { state in
            defer { if keepsHistory { state.cursors.unsubscribed(topic) } }
            return state.taking(state.table.refused(topic, rejection))
        }
        for (outcome, waiter) in outcomes {
            switch outcome {
            case .failed(_, let mailbox, let failure):
                mailbox.finish(failure)
                waiter?.resume(returning: failure)
            case .abandoned(_, _, _, let failure): waiter?.resume(returning: failure)
            case .established, .restored: break
            }
        }
    }

    /// True if somebody subscribes to the topic.
    package func isWanted(_ topic: Int) -> Bool {
        state.withLock { !$0.table.subscribers(of: topic).isEmpty }
    }

    package func name(of topic: Int) -> TopicName? {
        state.withLock { $0.table.name(of: topic) }
    }
}

extension Hub.State {
    /// Takes a subscriber out of all tables.
    fileprivate mutating func takeOut(_ id: Int) -> Mailbox? {
        cursors.remove(id)
        starts[id] = nil
        return table.remove(id)
    }

    /// The call that tells the driver, unless it has been told already.
    mutating func takeSignal() -> (@Sendable () -> Void)? {
        if isSignalled { return nil }
        isSignalled = true
        return signal
    }

    /// Takes the waiters that outcomes are for in the same moment, so that each is resumed exactly once.
    mutating func taking(
        _ outcomes: [ChannelTable.Outcome]
    ) -> [(ChannelTable.Outcome, Hub.Waiter?)] {
        outcomes.map { outcome in
            switch outcome {
            case .established(let id): (outcome, waiters.removeValue(forKey: id))
            case .restored: (outcome, nil)
            case .failed(let id, let mailbox, _):
                (outcome, retiring(id, mailbox))
            case .abandoned(let call, let subscriber, let topics, _):
                (outcome, leaving(call, subscriber, topics))
            }
        }
    }

    private mutating func leaving(
        _ call: Int, _ subscriber: Int, _ topics: [Int]
    ) -> Hub.Waiter? {
        cursors.leave(subscriber, topics)
        return waiters.removeValue(forKey: call)
    }

    /// Ends a call that adds topics to a subscriber that runs, if this is one.
    fileprivate mutating func abandon(_ call: Int, _ failure: SubscriptionFailure) {
        if let outcome = table.abandon(call, failure) { _ = taking([outcome]) }
    }

    private mutating func retiring(_ id: Int, _ mailbox: Mailbox) -> Hub.Waiter? {
        cursors.remove(id)
        starts[id] = nil
        retire(mailbox)
        return waiters.removeValue(forKey: id)
    }

    /// Keeps the counts of a mailbox that leaves.
    fileprivate mutating func retire(_ mailbox: Mailbox) {
        let counts = mailbox.counts
        delivered += counts.delivered
        dropped += counts.dropped
    }
}
