import BroadcasterWire

/// Whether the server is the master, which is asked at the login and again after each `ping`.
///
/// A message that is published on a replica reaches its own subscribers and nobody else; and a demoted master
/// keeps its connections, answers PING, and counts receivers as before (Redis 6.2 to 8.2).
struct RedisRole: Sendable {
    private enum Known: Hashable {
        case unknown
        case master
        /// Of a server alone. In a cluster every node passes on what is published.
        case replica
    }

    private var known = Known.unknown
    private var hasBeenMaster = false
    private var isCluster = false
    private(set) var isSentinel = false
    /// The server does not tell.
    private var isRefused = false
    /// The moment at which the server was asked, as long as it has not answered.
    private var askedAt: Instant?
    private var answers: AnswerWatch
    private(set) var nextCheck: Instant?

    /// The answer stands behind all that a slow line has to bring first.
    private static let leastAnswerTimeout: Duration = .seconds(30)

    init(answerTimeout: Duration) {
        answers = AnswerWatch(timeout: max(answerTimeout, RedisRole.leastAnswerTimeout))
    }

    static let lost = Rejection(
        kind: .unsuitable,
        message: "the server is a replica now, and was the master when we connected")
    static let cannotPublish = Rejection(
        kind: .unsuitable,
        message: "the server is a replica: what is published there reaches nobody else")

    static func notMaster(_ role: String) -> Rejection {
        Rejection(
            kind: .temporary,
            message: "the server is a replica, and should be the \(role): a failover is under way,"
                + " or nobody is the master")
    }

    static let sentinel = Rejection(
        kind: .unsuitable,
        message: "this is a sentinel, which passes no messages on; use the address of the server"
            + " that it watches: SENTINEL MASTERS tells it")

    var canPublish: Bool { known != .replica }

    /// The name and value of a field of HELLO's answer, or of a line of INFO.
    mutating func learn(_ name: String, _ value: String) {
        switch (name, value) {
        case ("mode", _), ("redis_mode", _):
            isCluster = value == "cluster"
            isSentinel = value == "sentinel"
        case ("role", _) where isCluster: known = .master
        case ("role", "master"): known = .master
        // INFO says slave, HELLO replica.
        case ("role", "slave"), ("role", "replica"): known = .replica
        // Another word is another server's, and no reason to refuse anything.
        case ("role", _): known = .unknown
        default: break
        }
        if known == .master { hasBeenMaster = true }
    }

    /// True where the server was the master before `answer`, and is not after it.
    mutating func checked(_ answer: RESPValue) -> Bool {
        askedAt = nil
        switch answer {
        case .map(let values), .array(let values):
            for (name, value) in RedisInformation.fields(of: values) { learn(name, value) }
        case .bulkString(let text), .verbatimString(_, let text):
            for (name, value) in RedisInformation.fields(of: text) { learn(name, value) }
        // A script runs (-BUSY), for one: it is asked again.
        case .error(let text) where Rejection(redis: text).kind == .temporary: break
        default: isRefused = true
        }
        return hasBeenMaster && known == .replica
    }

    /// Notes that the server has answered something else, or takes bytes and cannot yet.
    mutating func progressed(at now: Instant) {
        answers.progressed(at: now)
    }

    /// True if the server goes on sending, which satisfies the heartbeat, and has answered nothing for too long.
    func isOverdue(at now: Instant) -> Bool {
        answers.deadline(due: askedAt).map { now >= $0 } ?? false
    }

    /// True if it is time to ask.
    mutating func timeReached(_ now: Instant, interval: Duration) -> Bool {
        guard let due = nextCheck else {
            nextCheck = now + interval
            return false
        }
        guard now >= due else { return false }
        nextCheck = now + interval
        guard askedAt == nil, !isRefused else { return false }
        askedAt = now
        return true
    }
}
