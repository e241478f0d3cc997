import BroadcasterWire

/// Decides which lines of an outage are worth a place in a log: the first attempts, a new reason, one in a minute; and
/// one when all is as it was. A pure value.
struct OutageLog: Sendable {
    /// The attempts that are each logged.
    private static let firstAttempts = 3
    private static let pause: Duration = .seconds(60)

    /// The moment since which there is no connection; nil while there is one.
    private var since: Instant?
    private var attempts = 0
    private var told: (failure: ConnectionFailure, at: Instant)?
    /// The loss whose channels are not all subscribed again: since when, and how many were asked for.
    private var loss: (since: Instant, topics: Int)?

    /// A connection that held was lost.
    mutating func begin(at now: Instant) {
        since = since ?? now
        loss = (loss?.since ?? now, 0)
    }

    /// An attempt failed, or the connection was lost. Returns the line for it, if it is to have one.
    mutating func failed(
        _ failure: ConnectionFailure, retryIn delay: Duration, at now: Instant
    ) -> LogEvent? {
        let start = since ?? now
        since = start
        attempts += 1
        if attempts > OutageLog.firstAttempts, let told, told.failure == failure {
            guard now - told.at >= OutageLog.pause else { return nil }
            self.told = (failure, now)
            return .stillLost(failure, for: now - start, attempts: attempts)
        }
        told = (failure, now)
        return .lost(failure, retryIn: delay)
    }

    mutating func connected() {
        (since, attempts, told) = (nil, 0, nil)
    }

    /// Channels and patterns are asked for: again, if a loss is open. One without any is over.
    mutating func asked(topics count: Int) {
        loss?.topics += count
        if loss?.topics == 0 { loss = nil }
    }

    /// All that was asked for is answered. Returns the line for the end of a loss, if one ends here.
    mutating func restored(at now: Instant) -> LogEvent? {
        guard let loss, loss.topics > 0, since == nil else { return nil }
        self.loss = nil
        return .resubscribed(topics: loss.topics, after: now - loss.since)
    }
}
