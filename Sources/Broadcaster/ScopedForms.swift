// The bodies are `@concurrent`, and the functions take the caller's isolation: a caller whose module has not
// `NonisolatedNonsendingByDefault` may then capture what is not `Sendable`, such as the writer of an HTTP response, which
// Swift 6.3 takes for a data race otherwise. A body that is written on an actor still runs there.

/// Connects, runs `body`, and disconnects, whatever `body` does.
///
/// - Throws: what `connect()` and `body` throw.
@discardableResult
@_disfavoredOverload
public func withBroadcast<Result>(
    _ url: String, options: BroadcastOptions = BroadcastOptions(),
    isolation: isolated (any Actor)? = #isolation,
    _ body: @concurrent (Broadcast) async throws -> Result
) async throws -> Result {
    let broadcast = try Broadcast(url, options: options)
    try await broadcast.connect()
    do {
        let result = try await body(broadcast)
        await broadcast.disconnect()
        return result
    } catch {
        await broadcast.disconnect()
        throw error
    }
}

/// The same for a body that throws `BroadcastError` alone: `{ broadcast throws(BroadcastError) in … }`.
@discardableResult
public func withBroadcast<Result>(
    _ url: String, options: BroadcastOptions = BroadcastOptions(),
    isolation: isolated (any Actor)? = #isolation,
    _ body: @concurrent (Broadcast) async throws(BroadcastError) -> Result
) async throws(BroadcastError) -> Result {
    let broadcast = try Broadcast(url, options: options)
    try await broadcast.connect()
    do throws(BroadcastError) {
        let result = try await body(broadcast)
        await broadcast.disconnect()
        return result
    } catch {
        await broadcast.disconnect()
        throw error
    }
}

extension Broadcast {
    /// Subscribes, runs `body`, and leaves the channels, whatever `body` does.
    ///
    /// ```swift
    /// try await broadcast.withSubscription(to: "a", patterns: "news.*") { messages in
    ///     for try await message in messages { … }
    /// }
    /// ```
    ///
    /// - Throws: what `subscribe` and `body` throw.
    @discardableResult
    @_disfavoredOverload
    public func withSubscription<Result>(
        to channel: String, _ others: String..., patterns: String...,
        history start: SubscriptionStart = .new, buffer: SubscriptionBuffer? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: @concurrent (Subscription) async throws -> Result
    ) async throws -> Result {
        let subscription = try await subscribe(
            to: [channel] + others, patterns: patterns, history: start, buffer: buffer)
        defer { subscription.cancel() }
        return try await body(subscription)
    }

    /// The same for a body that throws `BroadcastError` alone: `{ messages throws(BroadcastError) in … }`.
    @discardableResult
    public func withSubscription<Result>(
        to channel: String, _ others: String..., patterns: String...,
        history start: SubscriptionStart = .new, buffer: SubscriptionBuffer? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: @concurrent (Subscription) async throws(BroadcastError) -> Result
    ) async throws(BroadcastError) -> Result {
        let subscription = try await subscribe(
            to: [channel] + others, patterns: patterns, history: start, buffer: buffer)
        defer { subscription.cancel() }
        return try await body(subscription)
    }

    /// Subscribes to a list of channels and patterns, runs `body`, and leaves them, whatever `body` does.
    ///
    /// - Throws: what `subscribe` and `body` throw.
    @discardableResult
    @_disfavoredOverload
    public func withSubscription<Result>(
        to channels: [String], patterns: [String] = [], history start: SubscriptionStart = .new,
        buffer: SubscriptionBuffer? = nil, isolation: isolated (any Actor)? = #isolation,
        _ body: @concurrent (Subscription) async throws -> Result
    ) async throws -> Result {
        let subscription = try await subscribe(
            to: channels, patterns: patterns, history: start, buffer: buffer)
        defer { subscription.cancel() }
        return try await body(subscription)
    }

    /// The same for a body that throws `BroadcastError` alone.
    @discardableResult
    public func withSubscription<Result>(
        to channels: [String], patterns: [String] = [], history start: SubscriptionStart = .new,
        buffer: SubscriptionBuffer? = nil, isolation: isolated (any Actor)? = #isolation,
        _ body: @concurrent (Subscription) async throws(BroadcastError) -> Result
    ) async throws(BroadcastError) -> Result {
        let subscription = try await subscribe(
            to: channels, patterns: patterns, history: start, buffer: buffer)
        defer { subscription.cancel() }
        return try await body(subscription)
    }
}
