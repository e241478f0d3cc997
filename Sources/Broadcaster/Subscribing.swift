internal import BroadcasterMultiplexing
internal import BroadcasterWire

extension Broadcast {
    /// Subscribes to channels, and to all channels that match one of `patterns`, as one sequence. Returns when the server has
    /// confirmed them all: whatever is published after that is delivered, or told as a gap.
    ///
    /// ```swift
    /// try await broadcast.subscribe(to: "a", "b", patterns: "news.*")
    /// ```
    ///
    /// A pattern has `*` for any characters, `?` for one, `[abc]` for one of these and `\` before a character
    /// that is meant as itself. A message that matches several of them comes once for each.
    ///
    /// - Parameter buffer: the room for messages that wait for a slow subscriber; by default the options' buffer.
    /// - Throws: `.disconnected` if there was no connection until `subscribeTimeout`, also where the first one did not come
    ///   or failed, with the reason; `.timedOut` if the server did not confirm in that time; `.permissionDenied`,
    ///   `.temporarilyRefused` or `.refused` by the server; `.invalid` before anything is sent, if it would not take the
    ///   name; `.cancelled` with its task; `.notConnected` before `connect()` or `run()` is called, and after `disconnect()`.
    public func subscribe(
        to channel: String, _ others: String..., patterns: String...,
        buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: [channel] + others, patterns: patterns, buffer: buffer)
    }

    /// Subscribes to a list of channels, and of patterns. As `subscribe(to:_:patterns:buffer:)`.
    public func subscribe(
        to channels: [String], patterns: [String] = [], buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(
            to: channels.map(TopicName.channel) + patterns.map(TopicName.pattern), buffer)
    }

    /// Subscribes to all channels that match one of the patterns. As `subscribe(to:_:patterns:buffer:)`.
    public func subscribe(
        toPatterns pattern: String, _ others: String..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: [], patterns: [pattern] + others, buffer: buffer)
    }

    /// Subscribes to channels whose names need not be UTF-8, as those of Redis's keyspace events for binary keys. As
    /// `subscribe(to:_:patterns:buffer:)`.
    public func subscribe(
        toBytes name: [UInt8], _ others: [UInt8]..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: ([name] + others).map(TopicName.channel(bytes:)), buffer)
    }

    /// Says what is missing.
    @available(*, unavailable, message: "name a channel: subscribe(to: \"chatroom\")")
    public func subscribe(
        buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        throw .invalid("no channel to subscribe to")
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

    /// Waits for the server's word, the deadline, or the end of the task; nil is a confirmation.
    private func confirmation(
        of topics: [TopicName], _ mailbox: Mailbox, _ id: Int, _ driver: any Driver,
        isolation: isolated (any Actor)?
    ) async -> SubscriptionFailure? {
        if Task.isCancelled { return .cancelled }
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
