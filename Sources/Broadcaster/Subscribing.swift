internal import BroadcasterMultiplexing
internal import BroadcasterWire

extension Broadcast {
    /// Subscribes to channels. Returns when the server has confirmed them all: whatever is published after
    /// that is delivered, or told as a gap.
    ///
    /// - Parameter buffer: the room for messages that wait for a slow subscriber; by default the options' buffer.
    /// - Throws: `.permissionDenied`, `.refused`, `.timedOut`, `.disconnected` with the last reason, `.invalid`,
    ///   `.notConnected` or `.cancelled`.
    public func subscribe(
        to channels: String..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: channels, buffer: buffer)
    }

    /// Subscribes to channels, and to all channels that match one of `patterns`, as one sequence.
    ///
    /// A pattern has `*` for any characters, `?` for one, `[abc]` for one of these and `\` before a character
    /// that is meant as itself. A message that matches several of them comes once for each.
    public func subscribe(
        to channels: [String], patterns: [String] = [], buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(
            to: channels.map(TopicName.channel) + patterns.map(TopicName.pattern), buffer)
    }

    /// Subscribes to channels whose names need not be UTF-8, as those of Redis's keyspace events for binary keys.
    public func subscribe(
        toBytes names: [UInt8]..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: names.map(TopicName.channel(bytes:)), buffer)
    }

    private func subscribe(
        to topics: [TopicName], _ buffer: SubscriptionBuffer?
    ) async throws(BroadcastError) -> Subscription {
        if topics.isEmpty { throw .invalid("no channel to subscribe to") }
        for topic in topics {
            if let refusal = backend.refusal(of: topic) { throw .invalid(refusal) }
        }
        let driver = try connectedDriver()
        let mailbox = Mailbox(limits: MailboxLimits(buffer ?? options.buffer))
        let hub = driver.hub
        let id = hub.newSubscriber()
        if let failure = await confirmation(
            of: topics, mailbox, id, driver, isolation: #isolation)
        {
            throw BroadcastError(failure)
        }
        return Subscription(topics, mailbox: mailbox) { hub.remove(id) }
    }

    /// Subscribes to all channels that match one of the patterns.
    public func subscribe(
        toPatterns patterns: String..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: [], patterns: patterns, buffer: buffer)
    }

    /// Waits for the server's word, the deadline, or the end of the task; nil is a confirmation.
    private func confirmation(
        of topics: [TopicName], _ mailbox: Mailbox, _ id: Int, _ driver: any Driver,
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
                    hub.add(mailbox, as: id, to: topics, waiter: continuation)
                    if Task.isCancelled { hub.cancelPending(id, .cancelled) }
                    // Both may have come before there was anything to abandon.
                    if driver.now >= deadline {
                        driver.expire(subscriber: id, waitingSince: start)
                    }
                }
            }, onCancel: { hub.cancelPending(id, .cancelled) }, isolation: isolation)
    }
}
