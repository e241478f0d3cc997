internal import BroadcasterMultiplexing
internal import BroadcasterWire

extension Broadcast {
    /// Subscribes to channels, and to all channels that match one of `patterns`, as one sequence. Returns when the server has
    /// confirmed them all: whatever is published after that is delivered, or reported as a gap.
    ///
    /// ```swift
    /// try await broadcast.subscribe(to: "a", "b", patterns: "news.*")
    /// ```
    ///
    /// A pattern has `*` for any characters, `?` for one, `[abc]` for one of these and `\` before a character
    /// that is meant as itself. A message that matches several of them comes once for each. Patterns have no history.
    ///
    /// - Parameters:
    ///   - channel: the first channel.
    ///   - others: further channels.
    ///   - patterns: patterns of channels.
    ///   - start: where to begin, if the server keeps the channels' messages.
    ///   - buffer: the room for messages that wait for a slow subscriber; by default the options' buffer.
    /// - Throws: `.disconnected` if there was no connection until `subscribeTimeout`, also where the first one did not come
    ///   or failed, with the reason; `.timedOut` if the server did not confirm in that time; `.permissionDenied`,
    ///   `.temporarilyRefused` or `.refused` by the server; `.invalid` and `.historyUnsupported` before anything is sent, if
    ///   it would not take the name, or has no history; `.cancelled` with its task; `.notConnected` before `connect()` or
    ///   `run()` is called, and after `disconnect()`.
    public func subscribe(
        to channel: String, _ others: String..., patterns: String...,
        history start: SubscriptionStart = .new, buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(
            to: [channel] + others, patterns: patterns, history: start, buffer: buffer)
    }

    /// Subscribes to a list of channels, and of patterns. As `subscribe(to:_:patterns:history:buffer:)`.
    public func subscribe(
        to channels: [String], patterns: [String] = [], history start: SubscriptionStart = .new,
        buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(
            to: channels.map(TopicName.channel) + patterns.map(TopicName.pattern), start, buffer)
    }

    /// Subscribes to all channels that match one of the patterns. As `subscribe(to:_:patterns:history:buffer:)`.
    public func subscribe(
        toPatterns pattern: String, _ others: String..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: [], patterns: [pattern] + others, buffer: buffer)
    }

    /// Subscribes to channels whose names need not be UTF-8, as those of Redis's keyspace events for binary keys. As
    /// `subscribe(to:_:patterns:history:buffer:)`.
    public func subscribe(
        toBytes name: [UInt8], _ others: [UInt8]..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: ([name] + others).map(TopicName.channel(bytes:)), .new, buffer)
    }

    /// Says what is missing.
    @available(*, unavailable, message: "name a channel: subscribe(to: \"chatroom\")")
    public func subscribe(
        buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        throw .invalid("no channel to subscribe to")
    }

    private func subscribe(
        to topics: [TopicName], _ start: SubscriptionStart, _ buffer: SubscriptionBuffer?
    ) async throws(BroadcastError) -> Subscription {
        if topics.isEmpty { throw .invalid("no channel to subscribe to") }
        let buffer = buffer ?? options.buffer
        let rules = SubscriptionRules(
            backend: backend, timeout: options.subscribeTimeout,
            isRefilled: buffer.overflow == .refill)
        let place = try rules.place(of: start, in: topics)
        let driver = try connectedDriver()
        let hub = driver.hub
        let id = hub.newSubscriber()
        let limits = MailboxLimits(buffer, keepsHistory: backend.keepsHistory)
        let mailbox = Mailbox(limits: limits) { [weak hub] in hub?.roomMade(id) }
        try await rules.confirmation(as: id, driver, isolation: #isolation) { waiter in
            hub.add(mailbox, as: id, to: topics, from: place, waiter: waiter)
        }
        return Subscription(
            topics, mailbox: mailbox, Membership(of: id, hub: hub, driver: driver, rules: rules))
    }
}
