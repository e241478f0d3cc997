import BroadcasterWire

/// Decides when the metadata is asked for: soon when something is out of date, and now and then since Kafka tells of
/// no new partitions. One request at a time, with longer and longer waits while it does not help.
struct MetadataSchedule: Sendable {
    /// The longest time between two questions (Java's clients: 5 minutes).
    private static let longestAge: Duration = .seconds(60)

    private var isWanted = false
    private var isUnderWay = false
    private var attempts = 0
    private var notBefore: Instant?
    private var askedAt: Instant?

    /// Asks for metadata unless it is on its way.
    mutating func wantUnlessUnderWay() {
        if !isUnderWay { isWanted = true }
    }

    /// Asks for metadata at the next occasion. While it is asked for again and again, the waits grow.
    mutating func want() {
        isWanted = true
    }

    /// A new topic is to be looked for: at once.
    mutating func wantNow() {
        isWanted = true
        notBefore = nil
        attempts = 0
    }

    /// True if it was never asked for.
    var isFirst: Bool { askedAt == nil }

    mutating func isDue(at now: Instant, _ wake: inout WakeTime) -> Bool {
        if isUnderWay { return false }
        if isWanted { return notBefore.map { wake.isReached($0, at: now) } ?? true }
        guard let askedAt else { return false }
        return wake.isReached(askedAt + MetadataSchedule.longestAge, at: now)
    }

    mutating func asked(at now: Instant) {
        isUnderWay = true
        isWanted = false
        askedAt = now
        attempts += 1
        notBefore = now + min(.milliseconds(50) * (1 << min(attempts, 6)), .seconds(1))
    }

    /// - Parameter isSettled: all topics have their leaders.
    mutating func answered(isSettled: Bool) {
        isUnderWay = false
        if isSettled { attempts = 0 }
    }

    mutating func lost() {
        isUnderWay = false
        isWanted = true
    }
}
