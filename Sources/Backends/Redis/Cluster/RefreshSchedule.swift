import BroadcasterWire

/// Decides when a node is asked for the table of slots: slowly by time, soon where something points at a change, and never
/// twice at once.
struct RefreshSchedule: Sendable {
    private var isWanted = false
    private var isUnderWay = false
    /// nil before the first table.
    private var lastAsked: Instant?

    private static let shortest: Duration = .milliseconds(200)
    private static let longest: Duration = .seconds(60)

    mutating func want() {
        isWanted = true
    }

    mutating func asked(at now: Instant) {
        (isWanted, isUnderWay, lastAsked) = (false, true, now)
    }

    mutating func answered() {
        isUnderWay = false
    }

    /// The answer will not come.
    mutating func lost() {
        (isUnderWay, isWanted) = (false, true)
    }

    var deadline: Instant? {
        guard !isUnderWay, let lastAsked else { return nil }
        return lastAsked + (isWanted ? RefreshSchedule.shortest : RefreshSchedule.longest)
    }

    func isDue(at now: Instant) -> Bool {
        deadline.map { now >= $0 } ?? false
    }
}
