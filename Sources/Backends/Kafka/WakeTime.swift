import BroadcasterWire

/// The earliest of the moments that something waits for.
struct WakeTime: Sendable {
    private(set) var instant: Instant?

    /// False for a moment that is still to come, which is noted.
    mutating func isReached(_ moment: Instant, at now: Instant) -> Bool {
        if moment <= now { return true }
        instant = instant.map { min($0, moment) } ?? moment
        return false
    }
}

/// The waits between attempts that fail for reasons that pass: longer and longer ones.
struct Retry: Sendable {
    private var attempts = 0
    private var due: Instant?

    mutating func wait(at now: Instant, atLeast least: Duration = .milliseconds(50)) {
        due = now + min(least * (1 << min(attempts, 5)), max(.seconds(1), least))
        attempts += 1
    }

    mutating func succeeded() {
        self = Retry()
    }

    func isDue(at now: Instant, _ wake: inout WakeTime) -> Bool {
        due.map { wake.isReached($0, at: now) } ?? true
    }
}

/// A partition of a topic.
struct PartitionKey: Hashable, Sendable {
    let topic: String
    let index: Int32
}
