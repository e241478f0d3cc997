internal import BroadcasterMultiplexing
internal import Synchronization

/// Gives each watcher the status as it is, and then its changes.
///
/// A watcher that ends is noted under a lock of its own. A task that is cancelled ends its stream while it holds the lock
/// of its own status, which `yield` needs to wake it: with one lock for both, the two would wait for each other.
final class StatusBoard: Sendable {
    private struct State {
        var current = BroadcastStatus.closed
        /// The reason for `.closed`, where it is a failure.
        var failure: BroadcastError?
        var watchers: [UInt64: AsyncStream<BroadcastStatus>.Continuation] = [:]
        var lastWatcher: UInt64 = 0
        var generation = 0
    }

    private let state = Mutex(State())
    /// The watchers that have ended and are still in the state's list. Nothing else is done under this lock.
    private let ended = Mutex<[UInt64]>([])

    /// Nobody will post any more.
    deinit {
        for watcher in state.withLock({ $0.watchers.values }) { watcher.finish() }
    }

    var current: BroadcastStatus { state.withLock { $0.current } }

    var failure: BroadcastError? { state.withLock { $0.failure } }

    /// - Parameter failure: why the connection has ended, where nobody asked for that.
    func post(
        _ status: BroadcastStatus, because failure: BroadcastError? = nil, from generation: Int
    ) {
        state.withLock { state in
            guard generation >= state.generation, state.current != status else { return }
            state.current = status
            state.failure = failure
            forgetEnded(&state)
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
            forgetEnded(&state)
            state.lastWatcher += 1
            state.watchers[state.lastWatcher] = continuation
            // Under the lock, as `post` does: the last word is the newest.
            continuation.yield(state.current)
            return state.lastWatcher
        }
        continuation.onTermination = { [weak self] _ in
            self?.ended.withLock { $0.append(number) }
        }
        return stream
    }

    private func forgetEnded(_ state: inout State) {
        let numbers = ended.withLock { ended in
            defer { ended = [] }
            return ended
        }
        for number in numbers { state.watchers[number] = nil }
    }
}
