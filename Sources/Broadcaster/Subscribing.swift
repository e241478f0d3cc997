internal import BroadcasterMultiplexing
internal import BroadcasterWire

extension Broadcast {
    /// Subscribes to channels. Returns when the server has confirmed them all: whatever is published after
    /// that is delivered, or told as a gap.
    ///
    /// - Parameters:
    ///   - start: where to begin, if the server keeps the channels' messages.
    ///   - buffer: the room for messages that wait for a slow subscriber; by default the options' buffer.
    /// - Throws: `.permissionDenied`, `.refused`, `.timedOut`, `.disconnected` with the last reason, `.invalid`,
    ///   `.historyUnsupported` before anything is sent, `.notConnected` or `.cancelled`.
    public func subscribe(
        to channels: String..., history start: SubscriptionStart = .new,
        buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: channels, history: start, buffer: buffer)
    }

    /// Subscribes to channels, and to all channels that match one of `patterns`, as one sequence.
    ///
    /// A pattern has `*` for any characters, `?` for one, `[abc]` for one of these and `\` before a character
    /// that is meant as itself. A message that matches several of them comes once for each. Patterns have no history.
    public func subscribe(
        to channels: [String], patterns: [String] = [], history start: SubscriptionStart = .new,
        buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(
            to: channels.map(TopicName.channel) + patterns.map(TopicName.pattern), start, buffer)
    }

    /// Subscribes to channels whose names need not be UTF-8, as those of Redis's keyspace events for binary keys.
    public func subscribe(
        toBytes names: [UInt8]..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: names.map(TopicName.channel(bytes:)), .new, buffer)
    }

    private func subscribe(
        to topics: [TopicName], _ start: SubscriptionStart, _ buffer: SubscriptionBuffer?
    ) async throws(BroadcastError) -> Subscription {
        if topics.isEmpty { throw .invalid("no channel to subscribe to") }
        for topic in topics {
            if let refusal = backend.refusal(of: topic) { throw .invalid(refusal) }
        }
        let buffer = buffer ?? options.buffer
        let place = try place(of: start, in: topics, buffer)
        let driver = try connectedDriver()
        let hub = driver.hub
        let id = hub.newSubscriber()
        let limits = MailboxLimits(buffer, keepsHistory: backend.keepsHistory)
        let mailbox = Mailbox(limits: limits) { [weak hub] in hub?.roomMade(id) }
        if let failure = await confirmation(
            of: topics, place, mailbox, id, driver, isolation: #isolation)
        {
            throw BroadcastError(failure)
        }
        let starts = hub.takeStarts(of: id).mapValues { MessagePosition($0) }
        return Subscription(topics, mailbox: mailbox, starts: starts) { hub.remove(id) }
    }

    /// Where to begin, if that is possible for these topics.
    private func place(
        of start: SubscriptionStart, in topics: [TopicName], _ buffer: SubscriptionBuffer
    ) throws(BroadcastError) -> HistoryStart {
        if start != .new || buffer.overflow == .refill {
            guard backend.keepsHistory else { throw .historyUnsupported(Broadcast.noHistory) }
            if topics.contains(where: \.isPattern) {
                throw .historyUnsupported(
                    "patterns have none: subscribe to channels by their names")
            }
        }
        return switch start {
        case .new: .new
        case .last(let count): count <= 0 ? .new : .last(count)
        case .since(let time): time <= .zero ? .new : .since(time)
        case .after(let place): .after(try checked(place))
        case .all: .all
        }
    }

    /// Subscribes to all channels that match one of the patterns.
    public func subscribe(
        toPatterns patterns: String..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: [], patterns: patterns, buffer: buffer)
    }

    /// Waits for the server's word, the deadline, or the end of the task; nil is a confirmation.
    private func confirmation(
        of topics: [TopicName], _ place: HistoryStart, _ mailbox: Mailbox, _ id: Int,
        _ driver: any Driver,
        isolation: isolated (any Actor)?
    ) async -> SubscriptionFailure? {
        let hub = driver.hub
        let start = driver.now
        let deadline = start + options.subscribeTimeout
        let disarm = driver.schedule(at: deadline) { [weak driver] in
            driver?.expire(subscriber: id, waitingSince: start)
        }
        defer { disarm() }
        return await withTaskCancellationHandler(
            operation: {
                _ = isolation
                return await withCheckedContinuation(isolation: isolation) { continuation in
                    hub.add(
                        mailbox, as: id, to: topics, from: place, waiter: continuation)
                    if Task.isCancelled { hub.cancelPending(id, .cancelled) }
                    // Both may have come before there was anything to abandon.
                    if driver.now >= deadline {
                        driver.expire(subscriber: id, waitingSince: start)
                    }
                }
            }, onCancel: { hub.cancelPending(id, .cancelled) }, isolation: isolation)
    }
}
