import BroadcasterWire

/// The requests of the core that the server has not answered, except for messages, which the publish queue keeps:
/// topics and pings. Decides when the server is given up for that. A pure value.
///
/// A heartbeat notices a server that is silent; this, one that goes on sending and answers nothing.
struct UnansweredRequests<Caller: Sendable>: Sendable {
    /// A ping keeps its place when its caller has left: the answer comes all the same, and is nobody else's.
    private struct Ping: Sendable {
        let number: Int
        let since: Instant
        var caller: Caller?
    }

    private var pings = Queue<Ping>()
    private(set) var topics = 0
    /// The moment at which the first of `topics` was asked for.
    private var topicsSince: Instant?
    private var answers: AnswerWatch
    private var topicAnswers: AnswerWatch

    /// A session may look into what was confirmed before it says so: Postgres's probe takes up to 7 s.
    private static var leastTopicTimeout: Duration { .seconds(10) }

    init(answerTimeout: Duration) {
        answers = AnswerWatch(timeout: answerTimeout)
        topicAnswers = AnswerWatch(timeout: max(answerTimeout, Self.leastTopicTimeout))
    }

    var isEmpty: Bool { topics == 0 && pings.isEmpty }

    // MARK: Topics

    mutating func asked(topics count: Int, at now: Instant) {
        if count > 0, topics == 0 { topicsSince = now }
        topics += count
    }

    mutating func topicAnswered(at now: Instant) {
        progressed(at: now)
        topicAnswers.progressed(at: now)
        leave(topics: 1)
    }

    /// Stops waiting for topics that no server can be asked for now.
    mutating func leave(topics count: Int) {
        topics = max(topics - count, 0)
        if topics == 0 { topicsSince = nil }
    }

    // MARK: Pings

    mutating func pinged(_ number: Int, _ caller: Caller, at now: Instant) {
        pings.append(Ping(number: number, since: now, caller: caller))
    }

    mutating func pingAnswered(at now: Instant) -> Caller? {
        progressed(at: now)
        return pings.removeFirst()?.caller
    }

    /// Takes the caller out of its place.
    mutating func cancelPing(_ number: Int) -> Caller? {
        for place in 0..<pings.count where pings[place]?.number == number {
            return pings[place]?.caller.take()
        }
        return nil
    }

    // MARK: Time

    /// Notes that the server has answered anything, or has taken bytes of a message that waits for its answer.
    mutating func progressed(at now: Instant) {
        answers.progressed(at: now)
    }

    /// Begins all waiting anew: this process was suspended, and what has come meanwhile is read first.
    mutating func excuse(at now: Instant) {
        answers.progressed(at: now)
        topicAnswers.progressed(at: now)
    }

    /// The moment at which the server is given up.
    ///
    /// - Parameter oldestSent: the moment since which the oldest answer to a message is due.
    func deadline(oldestSent: Instant?) -> Instant? {
        let due = oldestSent.orEarlier(pings.first?.since)
        return answers.deadline(due: due).orEarlier(topicAnswers.deadline(due: topicsSince))
    }

    /// Forgets all: the session is over. The result is the callers that still wait.
    mutating func removeAll() -> [Caller] {
        defer {
            pings.removeAll()
            leave(topics: topics)
        }
        return (0..<pings.count).compactMap { pings[$0]?.caller }
    }
}
