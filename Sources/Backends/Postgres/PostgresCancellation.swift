import BroadcasterWire

/// Cancels a statement that the server does not get done: one that waits for a lock, say. Otherwise the server would
/// go on with it, and keep its process, long after the client has given the connection up. A value without a clock.
///
/// The request travels on a connection of its own and has no answer ("Canceling Requests in Progress" in the Postgres
/// documentation). It comes when the server has been silent for so long that it was asked for a sign of life, and has
/// not given that either; before the client gives it up. Where the statement has ended meanwhile, nothing happens, or
/// the next one is cancelled, and its error says so.
struct PostgresCancellation: Sendable {
    private enum Step: Hashable {
        case idle
        case due(Instant)
        /// The lane was asked for. Stays until the server answers.
        case asked
    }

    private let lane: Lane
    private let patience: Duration
    private var key: (process: Int32, secret: [UInt8])?
    private var step = Step.idle
    /// A statement was cancelled, and those behind it may wait for the same.
    private var hasCancelled = false

    /// - Parameters:
    ///   - lane: the connection of the request.
    ///   - answerWithin: the time for a sign of life.
    init(on lane: Lane, answerWithin: Duration) {
        self.lane = lane
        patience = answerWithin / 2
    }

    mutating func learn(process: Int32, key: [UInt8]) {
        self.key = (process, key)
    }

    /// A statement that the server reports as cancelled may be the client's own doing.
    var isUnderWay: Bool { step == .asked || hasCancelled }

    var deadline: Instant? {
        if case .due(let moment) = step { moment } else { nil }
    }

    /// The server was asked for a sign of life while it had a statement to carry out.
    mutating func begin(at now: Instant) {
        if step == .idle { step = .due(now + patience) }
    }

    /// The server has answered a statement.
    ///
    /// - Parameter hasMore: whether others wait: they get a shorter time, if this one had to be cancelled.
    mutating func answered(hasMore: Bool, at now: Instant) {
        if step == .asked { hasCancelled = true }
        if !hasMore { hasCancelled = false }
        step = hasCancelled ? .due(now + patience / 4) : .idle
    }

    mutating func timeReached(_ now: Instant, into output: inout SessionOutput) {
        if case .due(let moment) = step, now >= moment { cancel(into: &output) }
    }

    /// Asks for the connection at once.
    mutating func cancel(into output: inout SessionOutput) {
        guard key != nil, step != .asked else { return }
        step = .asked
        output.connect(lane, login: false)
    }

    /// Sends the request: the lane is connected.
    func opened(into output: inout SessionOutput) {
        if let key {
            ClientMessage.cancel(process: key.process, key: key.secret).append(to: &output[lane])
        }
        output.finish(lane)
    }
}
