package import BroadcasterWire
internal import Synchronization

/// Channels whose history the server keeps.
extension Hub {
    // MARK: Subscribers and callers

    /// Reads a page of a channel's history, without subscribing.
    ///
    /// - Parameter ended: makes the call fail when it is run; a deadline, say.
    package func read(
        _ kind: HistoryRequest.Kind, of channel: TopicName,
        deadline: (@escaping @Sendable (SubscriptionFailure) -> Void) -> @Sendable () -> Void,
        isolation: isolated (any Actor)?
    ) async -> Result<HistoryPage, SubscriptionFailure> {
        let number = state.withLock { $0.cursors.newCall() }
        let disarm = deadline { [weak self] in self?.endCall(number, $0) }
        defer { disarm() }
        return await withTaskCancellationHandler(
            operation: {
                _ = isolation
                return await withCheckedContinuation(isolation: isolation) { waiter in
                    let signal = state.withLock { state -> (@Sendable () -> Void)?? in
                        guard state.isOpen, !Task.isCancelled else { return nil }
                        state.cursors.add(
                            CursorTable.Call(channel: channel, kind: kind, waiter: waiter),
                            as: number)
                        return .some(state.takeSignal())
                    }
                    guard let signal else {
                        return waiter.resume(
                            returning: .failure(Task.isCancelled ? .cancelled : .closed))
                    }
                    signal?()
                }
            }, onCancel: { endCall(number, .cancelled) }, isolation: isolation)
    }

    private func endCall(_ number: Int, _ failure: SubscriptionFailure) {
        state.withLock { $0.cursors.removeCall(number) }?.resume(returning: .failure(failure))
    }

    /// Takes the places at which a new subscriber begins.
    package func takeStarts(of id: Int) -> [String: Position] {
        state.withLock { $0.starts.removeValue(forKey: id) } ?? [:]
    }

    /// A subscriber's mailbox has room again.
    package func roomMade(_ id: Int) {
        let signal = state.withLock { state in
            state.cursors.roomMade(id)
            return state.takeSignal()
        }
        signal?()
    }

    // MARK: The driver's side

    /// The server delivers the topic: from `position` on, which is that of its newest message where its history is kept.
    package func confirmed(_ topic: Int, at position: Position?, at now: Instant) {
        guard keepsHistory, let position else {
            return confirmed(topic, isResumed: position != nil, at: now)
        }
        let outcomes = state.withLock { state in
            let first = state.table.confirmed(topic)
            return state.taking(
                first + state.begin(state.cursors.confirmed(topic, at: position).begun, topic))
        }
        act(on: outcomes, topic, isResumed: true, at: now)
    }

    package func rang(_ topic: Int) {
        state.withLock { $0.cursors.rang(topic) }
    }

    package func answered(_ page: HistoryPage, at now: Instant) {
        act(
            on: state.withLock { state in state.outcome(state.cursors.answered(page, at: now)) },
            at: now)
    }

    package func refusedPage(_ ticket: UInt64, _ rejection: Rejection, at now: Instant) {
        act(
            on: state.withLock { state in state.outcome(state.cursors.refused(ticket, rejection)) },
            at: now)
    }

    private func act(
        on outcome: (CursorTable.Outcome, [(ChannelTable.Outcome, Waiter?)]), at now: Instant
    ) {
        let (outcome, subscribers) = outcome
        act(on: subscribers, -1, isResumed: true, at: now)
        if let (topic, rejection) = outcome.refused { refused(topic, rejection) }
        if let (waiter, result) = outcome.call { waiter.resume(returning: result) }
        hand(out: outcome.handOuts)
    }

    func hand(out handOuts: [HandOut]) {
        var handOuts = handOuts
        while !handOuts.isEmpty {
            let results = handOuts.map { ($0, $0.carryOut()) }
            handOuts = state.withLock { $0.cursors.handed(results) }
        }
    }
}

extension HistoryStart {
    /// True if the server has to say where that is.
    var isAsked: Bool {
        if case .after = self { false } else { true }
    }
}

extension Hub.State {
    /// Adds a subscriber to the readers of these topics, of which patterns have no history.
    mutating func begin(
        _ mailbox: Mailbox, as id: Int, in topics: [Topic], at start: HistoryStart
    ) {
        let channels = topics.filter { !$0.name.isPattern }
        cursors.add(mailbox, as: id, to: channels, start)
        if case .after(let position) = start {
            for channel in channels { starts[id, default: [:]][channel.name.text] = position }
        }
    }

    /// Notes the starts that are known now. The result is the subscribers that have all of theirs.
    fileprivate mutating func begin(
        _ begun: [(subscriber: Int, start: Position?)], _ topic: Int
    ) -> [ChannelTable.Outcome] {
        begun.flatMap { subscriber, start in
            if let start, let name = table.name(of: topic)?.text {
                starts[subscriber, default: [:]][name] = start
            }
            return table.begun(subscriber, in: topic)
        }
    }

    fileprivate mutating func outcome(
        _ outcome: CursorTable.Outcome
    ) -> (CursorTable.Outcome, [(ChannelTable.Outcome, Hub.Waiter?)]) {
        received += outcome.received
        return (outcome, taking(begin(outcome.begun, outcome.topic)))
    }
}
