internal import Synchronization

/// A clock that a test moves.
///
/// Code that takes `any Clock<Duration>` sleeps on it; `advance(by:)` wakes the sleepers that are due, in the order
/// of their times. Its instants are those of `ContinuousClock`.
public final class ManualClock: Clock {
    /// Instants of `ContinuousClock`.
    public typealias Instant = ContinuousClock.Instant

    private struct Sleeper {
        let number: Int
        let deadline: Instant
        /// False for a timer that nobody waits for.
        let isCounted: Bool
        let wake: @Sendable () -> Void
    }

    private struct State {
        var now = ContinuousClock.now
        var sleepers: [Sleeper] = []
        /// Sleepers whose timers are another's affair.
        var others: [ObjectIdentifier: Int] = [:]
        var lastNumber = 0
        /// The calls of `sleepers(_:)` under way, and the number of sleepers that each waits for.
        var watchers: [Watcher] = []

        typealias Watcher = (count: Int, continuation: CheckedContinuation<Void, Never>)

        var sleeperCount: Int {
            sleepers.count(where: \.isCounted) + others.values.reduce(0, +)
        }

        mutating func takeWatchers() -> [Watcher] {
            let count = sleeperCount
            defer { watchers.removeAll { $0.count <= count } }
            return watchers.filter { $0.count <= count }
        }
    }

    private let state = Mutex(State())

    /// A clock that stands still at this moment.
    public init() {}

    /// The time that the clock shows.
    public var now: Instant { state.withLock { $0.now } }

    /// Zero: the clock moves by any duration.
    public var minimumResolution: Duration { .zero }

    /// Moves the clock, and wakes the sleepers that are due.
    public func advance(by duration: Duration) {
        let end = now + duration
        while let wake = nextDue(by: end) { wake() }
        state.withLock { $0.now = max($0.now, end) }
    }

    /// Sleeps until the clock is moved to `deadline` or beyond.
    ///
    /// - Throws: `CancellationError`.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        let sleep = Sleep()
        let number = schedule(at: deadline) { sleep.end() }
        await withTaskCancellationHandler {
            await sleep.ended()
        } onCancel: {
            cancel(number)
            sleep.end()
        }
        try Task.checkCancellation()
    }

    /// Returns when at least `count` tasks sleep on this clock: then it is time to advance it.
    public func sleepers(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.sleeperCount >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// Calls `wake` once when the clock is moved to `deadline`, unless cancelled before.
    ///
    /// - Parameter isCounted: whether it is a sleeper for `sleepers(_:)`.
    package func schedule(
        at deadline: Instant, isCounted: Bool = true, _ wake: @escaping @Sendable () -> Void
    ) -> Int {
        let (number, isDue, woken) = state.withLock { state in
            state.lastNumber += 1
            let isDue = deadline <= state.now
            if !isDue {
                state.sleepers.append(
                    Sleeper(
                        number: state.lastNumber, deadline: deadline, isCounted: isCounted,
                        wake: wake))
            }
            return (state.lastNumber, isDue, state.takeWatchers())
        }
        for watcher in woken { watcher.continuation.resume() }
        if isDue { wake() }
        return number
    }

    /// Counts sleepers of `owner`'s that have no timers of their own here.
    package func setSleepers(_ count: Int, of owner: ObjectIdentifier) {
        let woken = state.withLock { state in
            state.others[owner] = count == 0 ? nil : count
            return state.takeWatchers()
        }
        for watcher in woken { watcher.continuation.resume() }
    }

    package func cancel(_ number: Int) {
        state.withLock { $0.sleepers.removeAll { $0.number == number } }
    }

    /// Moves to the first deadline up to `end`, and removes its sleeper.
    private func nextDue(by end: Instant) -> (@Sendable () -> Void)? {
        state.withLock { state in
            let due = state.sleepers.indices.filter { state.sleepers[$0].deadline <= end }
            guard
                let first = due.min(by: {
                    state.sleepers[$0].deadline < state.sleepers[$1].deadline
                })
            else { return nil }
            let sleeper = state.sleepers.remove(at: first)
            state.now = max(state.now, sleeper.deadline)
            return sleeper.wake
        }
    }
}

/// One task's sleep. It ends once: by the clock or by cancellation.
private final class Sleep: Sendable {
    private let state = Mutex<(isOver: Bool, sleeper: CheckedContinuation<Void, Never>?)>(
        (false, nil))

    func end() {
        let sleeper = state.withLock { state in
            state.isOver = true
            return state.sleeper.take()
        }
        sleeper?.resume()
    }

    func ended() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.sleeper = continuation }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
    }
}
