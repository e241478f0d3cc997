/// Connects, runs `body`, and disconnects, whatever `body` does.
public func withBroadcast<Result>(
    _ url: String, options: BroadcastOptions = BroadcastOptions(),
    _ body: (Broadcast) async throws -> Result
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

extension Broadcast {
    /// Subscribes, runs `body`, and leaves the channels, whatever `body` does.
    public func withSubscription<Result>(
        to channels: String..., buffer: SubscriptionBuffer? = nil,
        _ body: (Subscription) async throws -> Result
    ) async throws -> Result {
        let subscription = try await subscribe(to: channels, buffer: buffer)
        defer { subscription.cancel() }
        return try await body(subscription)
    }
}
