/// Decides when a session asks a silent connection for a sign of life, and when it gives it up.
///
/// A value without a clock: `heard()` costs a store, so sessions call it for every read. Silence is counted in
/// quarters of the interval instead; a session asks after 3 to 4 quarters of it. From the last byte to `.dead`: at
/// most the interval and `answerWithin`.
public struct Heartbeat: Sendable {
    /// What is to be done.
    public enum Verdict: Hashable, Sendable {
        case wait
        case ask
        case dead
    }

    private let quarter: Duration
    private let answerWithin: Duration
    /// The time between looks for an answer.
    private let look: Duration
    private var wasHeard = false
    /// The deadline of the answer; nil before the session has asked.
    private var answerDue: Instant?
    private var silentQuarters = 0
    /// The time of the next call of `timeReached`.
    public private(set) var deadline: Instant?

    /// - Parameter interval: the longest silence before the session asks.
    public init(interval: Duration) {
        quarter = interval / 4
        // 5 s by default; no longer than the interval, so that `ping=1s` finds a cut within 2 s.
        answerWithin = min(interval, .seconds(5))
        look = answerWithin / 4
    }

    /// True if the answer to a question is late already, and not yet too late.
    public func isOverdue(at now: Instant) -> Bool {
        answerDue.map { now >= $0 - answerWithin + look } ?? false
    }

    /// Begins to count, as if something had just been heard.
    public mutating func start(at now: Instant) {
        wasHeard = false
        answerDue = nil
        silentQuarters = 0
        deadline = now + quarter
    }

    /// Notes that something has come.
    public mutating func heard() {
        wasHeard = true
    }

    /// Says what is to be done at `now`; nothing before `deadline`.
    public mutating func timeReached(_ now: Instant) -> Verdict {
        guard let due = deadline, now >= due else { return .wait }
        if wasHeard {
            start(at: now)
            return .wait
        }
        if let answerDue {
            if now >= answerDue { return .dead }
            // The next look comes soon, so that the silence after an answer is counted from there.
            deadline = min(now + look, answerDue)
            return .wait
        }
        silentQuarters += 1
        guard silentQuarters >= 3 else {
            deadline = now + quarter
            return .wait
        }
        answerDue = now + answerWithin
        deadline = now + look
        return .ask
    }
}
