internal import BroadcasterWire

extension Subscription {
    /// Adds channels, and all channels that match one of `patterns`, to the running subscription. Returns when the server has
    /// confirmed them all: whatever is published after that is delivered, or reported as a gap. Messages of some may come before
    /// that.
    ///
    /// ```swift
    /// let subscription = try await broadcast.subscribe(to: "lobby")
    /// try await subscription.add("room-7", patterns: "alerts.*")
    /// ```
    ///
    /// Those that it has already stay as they are. A call that throws adds nothing, and the subscription goes on with the
    /// channels that it had. May be called by any task, also while another one iterates.
    ///
    /// - Parameters:
    ///   - channel: the first channel.
    ///   - others: further channels.
    ///   - patterns: patterns of channels, as of `Broadcast.subscribe`.
    ///   - start: where to begin in the new channels, if the server keeps their messages; `startPositions` has the places
    ///     afterwards.
    /// - Throws: as `Broadcast.subscribe`; `.invalid` also where the subscription is over, since a subscription ends with
    ///   `cancel()`, and with a refusal of one of its channels; `.notConnected` after `disconnect()`, which has ended it.
    public func add(
        _ channel: String, _ others: String..., patterns: String...,
        history start: SubscriptionStart = .new
    ) async throws(BroadcastError) {
        try await add([channel] + others, patterns: patterns, history: start)
    }

    /// Adds a list of channels, and of patterns; nothing where both are empty. As `add(_:_:patterns:history:)`.
    public func add(
        _ channels: [String], patterns: [String] = [], history start: SubscriptionStart = .new
    ) async throws(BroadcastError) {
        try await membership.join(
            channels.map(TopicName.channel) + patterns.map(TopicName.pattern), start,
            isolation: #isolation)
    }

    /// Takes channels and patterns from the running subscription; those that it has not are ignored.
    ///
    /// What is in the buffer of them can still be read, and nothing else comes of them. The server is asked to unsubscribe
    /// where this was the channel's last subscriber. A channel that was to be subscribed again after a lost connection leaves
    /// the gap that it would have had. Without any channel the subscription goes on, and waits for `add` or `cancel`.
    public func remove(_ channel: String, _ others: String..., patterns: String...) {
        remove([channel] + others, patterns: patterns)
    }

    /// Takes a list of channels, and of patterns, from the running subscription. As `remove(_:_:patterns:)`.
    public func remove(_ channels: [String], patterns: [String] = []) {
        membership.leave(channels.map(TopicName.channel) + patterns.map(TopicName.pattern))
    }
}
