import BroadcasterWire

/// One connection to a sentinel that is watched: it announces a new master, and is asked for the master from time to time,
/// since an announcement that nobody heard is not repeated.
struct SentinelSeat: Sendable {
    /// An answer that the sentinel owes, in the order of the requests.
    private enum Expected: Hashable {
        case login
        case unsubscribed
        case master
        case sentinels
        case subscribed
    }

    /// A reason to look at what the sentinels say.
    enum Report: Hashable {
        /// This one is the master now, by an announcement.
        case switched(Endpoint)
        /// `word` may be another.
        case answered
        case sentinels([Endpoint])
    }

    let lane: Lane
    let sentinel: Endpoint
    private let service: String
    private let login: RedisLogin?
    private var decoder = RESPDecoder(limits: RESPDecoder.Limits(stringLength: 65_536))
    private var expected = Queue<Expected>()
    private var isSubscribed = false
    /// The master by the sentinel's last answer, and since when it has said so.
    private(set) var word: (master: Endpoint, since: Instant)?
    /// The moment by which the sentinel must have answered; nil where no answer is due.
    private var answerDue: Instant?
    private var nextQuestion: Instant?

    private static let answerTimeout: Duration = .seconds(3)
    /// The sentinel client specification asks for no rhythm; sentinels look at servers every 10 s themselves.
    private static let interval: Duration = .seconds(5)
    /// The same where the sentinels disagree with where we are.
    private static let shortInterval: Duration = .milliseconds(500)

    init(_ lane: Lane, at sentinel: Endpoint, _ service: String, _ login: RedisLogin?) {
        self.lane = lane
        self.sentinel = sentinel
        self.service = service
        self.login = login
    }

    mutating func opened(at now: Instant, into output: inout SessionOutput) {
        if let login {
            RESPEncoder.command(login.command, to: &output[lane])
            expected.append(.login)
        }
        ask(at: now, into: &output)
    }

    /// In one piece, so that no announcement falls between the answer and the subscription.
    private mutating func ask(at now: Instant, into output: inout SessionOutput) {
        if isSubscribed {
            RESPEncoder.command(["UNSUBSCRIBE", SentinelWord.announcements], to: &output[lane])
            expected.append(.unsubscribed)
        }
        RESPEncoder.command(SentinelWord.askForMaster(service), to: &output[lane])
        RESPEncoder.command(SentinelWord.askForSentinels(service), to: &output[lane])
        RESPEncoder.command(["SUBSCRIBE", SentinelWord.announcements], to: &output[lane])
        for answer in [Expected.master, .sentinels, .subscribed] { expected.append(answer) }
        isSubscribed = true
        nextQuestion = nil
        answerDue = now + SentinelSeat.answerTimeout
    }

    /// Takes what has come. Throws where the sentinel is of no use.
    mutating func receive(
        _ buffer: inout ReceiveBuffer, current: Endpoint, at now: Instant
    ) throws(ProtocolError) -> [Report] {
        var reports: [Report] = []
        while let value = try decoder.next(&buffer)?.plain {
            if let text = SentinelWord.announcement(value) {
                guard let master = SentinelWord.switched(text, service) else { continue }
                word = (master, now)
                reports.append(.switched(master))
            } else if let report = try take(value, current, at: now) {
                reports.append(report)
            }
        }
        return reports
    }

    private mutating func take(
        _ value: RESPValue, _ current: Endpoint, at now: Instant
    ) throws(ProtocolError) -> Report? {
        let answer = expected.removeFirst()
        if expected.first == nil {
            answerDue = nil
            let agrees = word.map { $0.master == current } ?? true
            nextQuestion = now + (agrees ? SentinelSeat.interval : SentinelSeat.shortInterval)
        }
        switch (answer, value) {
        case (nil, _), (.login, .error):
            throw ProtocolError(
                reading: "sentinel's answer", expected: "what was asked for",
                found: "a value of type \(value.kind)")
        case (.master, _):
            guard let master = SentinelWord.master(value) else {
                word = nil
                return nil
            }
            if word?.master != master { word = (master, now) }
            return .answered
        case (.sentinels, _): return .sentinels(SentinelWord.sentinels(value))
        case (.login, _), (.unsubscribed, _), (.subscribed, _): return nil
        }
    }

    /// The moment of the next `timeReached`.
    var deadline: Instant? { answerDue.orEarlier(nextQuestion) }

    /// Asks again when it is time. False where the sentinel is silent.
    mutating func timeReached(_ now: Instant, into output: inout SessionOutput) -> Bool {
        if let due = answerDue, now >= due { return false }
        if let due = nextQuestion, now >= due { ask(at: now, into: &output) }
        return true
    }
}
