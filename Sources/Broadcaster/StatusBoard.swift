internal import BroadcasterMultiplexing
internal import Synchronization

/// Gives each watcher the status as it is, and then its changes.
final class StatusBoard: Sendable {
    private struct State {
        var current = BroadcastStatus.closed
        var watchers: [UInt64: AsyncStream<BroadcastStatus>.Continuation] = [:]
        var lastWatcher: UInt64 = 0
        var generation = 0
    }

    private let state = Mutex(State())

    /// Nobody will post any more.
    deinit {
        for watcher in state.withLock({ $0.watchers.values }) { watcher.finish() }
    }

    var current: BroadcastStatus { state.withLock { $0.current } }

    func post(_ status: BroadcastStatus, from generation: Int) {
        state.withLock { state in
            guard generation >= state.generation, state.current != status else { return }
            state.current = status
            for watcher in state.watchers.values { watcher.yield(status) }
        }
    }

    /// From now on only what a driver of this generation, or a later one, posts counts: an earlier one
    /// may still be on its way out.
    func begin() -> Int {
        state.withLock { state in
            state.generation += 1
            return state.generation
        }
    }

    /// A watcher that does not look for long misses the oldest of 64 changes, never the newest.
    func watch() -> AsyncStream<BroadcastStatus> {
        let (stream, continuation) = AsyncStream<BroadcastStatus>.makeStream(
            bufferingPolicy: .bufferingNewest(64))
        let number = state.withLock { state in
            state.lastWatcher += 1
            state.watchers[state.lastWatcher] = continuation
            // Under the lock, as `post` does: the last word is the newest.
            continuation.yield(state.current)
            return state.lastWatcher
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.watchers[number] = nil }
        }
        return stream
    }
}
