internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// What a call that names channels keeps to: what the server would take, and how long to wait for its word.
struct SubscriptionRules: Sendable {
    let backend: any Backend
    let timeout: Duration
    /// The buffer is filled again from the channels' histories.
    let isRefilled: Bool

    /// Where to begin, if the server would take these topics, and that is possible for them.
    func place(
        of start: SubscriptionStart, in topics: [TopicName]
    ) throws(BroadcastError) -> HistoryStart {
        for topic in topics {
            if let refusal = backend.refusal(of: topic) { throw .invalid(refusal) }
        }
        if start != .new || isRefilled {
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
        case .after(let place): .after(try backend.checked(place))
        case .all: .all
        }
    }

    /// Waits for the server's word, the deadline, or the end of the task.
    ///
    /// - Parameters:
    ///   - id: the number by which the hub knows the call.
    ///   - enter: tells the hub; the waiter is resumed by it once, with nil for a confirmation.
    func confirmation(
        as id: Int, _ driver: any Driver, isolation: isolated (any Actor)?,
        enter: (Hub.Waiter) -> Void
    ) async throws(BroadcastError) {
        if Task.isCancelled { throw .cancelled }
        let hub = driver.hub
        let start = driver.now
        let deadline = start + timeout
        let disarm = driver.schedule(at: deadline) { [weak driver] in
            driver?.expire(subscriber: id, waitingSince: start)
        }
        defer { disarm() }
        let failure: SubscriptionFailure? = await withTaskCancellationHandler(
            operation: {
                _ = isolation
                return await withCheckedContinuation(isolation: isolation) { continuation in
                    enter(continuation)
                    if Task.isCancelled { hub.cancelPending(id, .cancelled) }
                    // Both may have come before there was anything to abandon.
                    if driver.now >= deadline {
                        driver.expire(subscriber: id, waitingSince: start)
                    }
                }
            }, onCancel: { hub.cancelPending(id, .cancelled) }, isolation: isolation)
        if let failure { throw BroadcastError(failure) }
    }
}
