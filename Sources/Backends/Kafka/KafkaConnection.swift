import BroadcasterWire

/// One connection to a broker: its handshake, and the requests that await their answers.
///
/// A broker answers strictly in order, so a fetch that waits for messages holds up all that follows it. Fetches
/// therefore have a connection of their own.
struct KafkaConnection: Sendable {
    enum Purpose: Hashable, Sendable {
        case commands
        case fetches
    }

    private struct Sent: Sendable {
        let request: KafkaRequest
        let version: Int16
        let correlation: Int32
        let due: Instant
    }

    let lane: Lane
    let purpose: Purpose
    let endpoint: Endpoint
    /// nil as long as the server is known by its address alone.
    var broker: Int32?
    private(set) var versions: ApiVersions?
    private var handshake: KafkaHandshake
    private let client: String
    private let signs: SignsOfLife
    /// The lane is open, and its handshake, or the last one of them, over.
    private(set) var isGreeted = false
    private(set) var isOpen = false
    private var sent = Queue<Sent>()
    private var lastCorrelation: Int32 = 0
    /// The moment until which the broker reads nothing (a quota).
    private var throttledUntil: Instant?
    private(set) var loginUntil: Instant?

    /// The times of a connection.
    struct SignsOfLife: Hashable, Sendable {
        /// The longest silence before a sign of life is asked for.
        let interval: Duration
        /// The longest time for an answer that does not wait for anything.
        let answer: Duration

        init(interval: Duration) {
            self.interval = interval
            answer = min(interval, .seconds(5))
        }
    }

    private var lastUse: Instant
    private var lastHeard: Instant

    init(
        _ lane: Lane, to endpoint: Endpoint, for purpose: Purpose, broker: Int32?,
        _ handshake: KafkaHandshake, client: String, signs: SignsOfLife, at now: Instant
    ) {
        self.lane = lane
        self.endpoint = endpoint
        self.purpose = purpose
        self.broker = broker
        self.handshake = handshake
        self.client = client
        self.signs = signs
        lastUse = now
        lastHeard = now
    }

    // MARK: Opening

    mutating func opened(at now: Instant, into output: inout SessionOutput) {
        isOpen = true
        lastHeard = now
        write(KafkaHandshake.first, version: 0, at: now, into: &output)
    }

    /// Words for a connection that ends while the session begins.
    var handshakeHint: String? {
        guard isOpen else { return nil }
        if isGreeted {
            return handshake.hasLogin
                ? nil
                : "the broker closed the connection on the first request without a login: write kafka://user:password@host"
        }
        return handshake.isLoggingIn
            ? "the broker closed the connection during the login"
            : "the server closed the connection on a request of Kafka: it may be no broker"
    }

    /// Carries out what the handshake has decided. The result is what is left to the session.
    mutating func settle(
        _ outcome: KafkaHandshake.Outcome, at now: Instant, into output: inout SessionOutput
    ) -> KafkaHandshake.Outcome {
        switch outcome {
        case .send(let request): send(request, at: now, into: &output)
        case .done(let lifetime):
            isGreeted = true
            // Kafka's own clients log in again at 85 to 95 % of the time.
            loginUntil = lifetime > 0 ? now + .milliseconds(lifetime) * 0.85 : nil
        case .work, .rejected, .others: break
        }
        return outcome
    }

    mutating func received(
        _ versions: ApiVersions, at now: Instant, into output: inout SessionOutput
    ) -> KafkaHandshake.Outcome {
        self.versions = versions
        return settle(handshake.received(versions), at: now, into: &output)
    }

    mutating func received(
        _ message: SASLHandshakeMessage, at now: Instant, into output: inout SessionOutput
    ) -> KafkaHandshake.Outcome {
        settle(handshake.received(message), at: now, into: &output)
    }

    mutating func received(
        _ message: SASLAuthenticateMessage, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) -> KafkaHandshake.Outcome {
        settle(try handshake.received(message), at: now, into: &output)
    }

    /// True if the login's time is nearly over.
    func mustLogInAgain(at now: Instant) -> Bool {
        loginUntil.map { now >= $0 } ?? false
    }

    mutating func logInAgain(at now: Instant, into output: inout SessionOutput) {
        isGreeted = false
        loginUntil = nil
        _ = settle(handshake.begin(), at: now, into: &output)
    }

    var hasWork: Bool { handshake.hasWork }

    mutating func work(at now: Instant, into output: inout SessionOutput) {
        if let request = handshake.work() { send(request, at: now, into: &output) }
    }

    // MARK: Requests

    /// True if requests may be sent now.
    func isUsable(at now: Instant) -> Bool {
        isGreeted && (throttledUntil.map { now >= $0 } ?? true) && !mustLogInAgain(at: now)
    }

    var sentCount: Int { sent.count }

    /// False for a request that the broker does not know.
    func knows(_ api: KafkaAPI) -> Bool {
        versions?.version(of: api) != nil
    }

    /// - Parameter patience: the time that the broker may take beyond that for a plain answer.
    mutating func send(
        _ request: KafkaRequest, patience: Duration = .zero, at now: Instant,
        into output: inout SessionOutput
    ) {
        guard let version = versions?.version(of: request.api) else { return }
        write(request, version: version, patience: patience, at: now, into: &output)
    }

    private mutating func write(
        _ request: KafkaRequest, version: Int16, patience: Duration = .zero, at now: Instant,
        into output: inout SessionOutput
    ) {
        lastCorrelation &+= 1
        request.append(
            version: version, correlation: lastCorrelation, client: client, to: &output[lane])
        let due = now + signs.answer + patience
        sent.append(
            Sent(request: request, version: version, correlation: lastCorrelation, due: due))
        lastUse = now
    }

    /// The requests without an answer, in order.
    mutating func takeSent() -> [KafkaRequest] {
        var requests: [KafkaRequest] = []
        while let entry = sent.removeFirst() { requests.append(entry.request) }
        return requests
    }

    // MARK: Answers

    /// Notes that the broker has sent something, or taken bytes that had waited.
    mutating func heard(at now: Instant) {
        lastUse = now
        lastHeard = now
    }

    /// The request that an answer is for.
    mutating func answered(
        _ reader: inout FrameReader
    ) throws(ProtocolError) -> (request: KafkaRequest, version: Int16) {
        let correlation = try reader.int32()
        guard let entry = sent.removeFirst() else {
            throw reader.error(
                expected: "no answer, nothing was asked", found: "correlation id \(correlation)")
        }
        guard entry.correlation == correlation else {
            throw reader.error(
                expected: "correlation id \(entry.correlation)", found: "\(correlation)")
        }
        return (entry.request, entry.version)
    }

    /// The broker has answered at once, and reads nothing for this long.
    mutating func throttle(_ milliseconds: Int32, at now: Instant) {
        guard milliseconds > 0 else { return }
        throttledUntil = now + min(.milliseconds(Int64(milliseconds)), .seconds(60))
    }

    // MARK: Time

    /// The moment at which the oldest answer is overdue. Bytes that come count as progress: a large answer takes time.
    private var overdueAt: Instant? {
        sent.first.map { max($0.due, lastHeard + signs.answer) }
    }

    func isOverdue(at now: Instant) -> Bool {
        overdueAt.map { now >= $0 } ?? false
    }

    /// Asks a connection for a sign of life that nothing else was asked of for long.
    mutating func beat(at now: Instant, into output: inout SessionOutput) {
        guard isUsable(at: now), sent.isEmpty, now >= lastUse + signs.interval else { return }
        send(.apiVersions(isAsked: false), at: now, into: &output)
    }

    var deadline: Instant? {
        guard isOpen else { return nil }
        if let overdueAt { return overdueAt }
        let idle = lastUse + signs.interval
        return throttledUntil.map { max($0, idle) } ?? idle
    }
}
