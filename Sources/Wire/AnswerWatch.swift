/// Decides when a server that goes on sending, and so satisfies its heartbeat, has left a request unanswered for too
/// long. A value without a clock.
///
/// A server that answers slowly is not given up: each answer, and each byte of a large message that it takes, is
/// progress, and the time counts from the last of them.
public struct AnswerWatch: Hashable, Sendable {
    private let timeout: Duration
    private var lastProgress: Instant?

    /// - Parameter timeout: the longest time without progress while an answer is due.
    public init(timeout: Duration) {
        self.timeout = timeout
    }

    /// Notes that the server has answered something, or taken bytes that had waited.
    public mutating func progressed(at now: Instant) {
        lastProgress = now
    }

    /// The moment at which the server is given up.
    ///
    /// - Parameter due: the moment since which the oldest answer is due; nil where none is.
    public func deadline(due: Instant?) -> Instant? {
        due.map { max($0, lastProgress ?? $0) + timeout }
    }
}
