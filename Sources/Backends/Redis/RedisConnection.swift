import BroadcasterWire

/// One of the session's connections: its decoder, its login, its signs of life, and the answers that the server owes on
/// it, in the order of the requests.
struct RedisConnection: Sendable {
    private let lane: Lane
    var decoder: RESPDecoder
    var handshake: RedisHandshake
    var isGreeted = false
    var heartbeat: Heartbeat
    var expected = Queue<ExpectedReply>()

    /// The elements of the largest answer: 1,000 nodes of a cluster whose slots lie in many pieces.
    static let elements = 1 << 20

    init(_ handshake: RedisHandshake, lane: Lane, options: CommonOptions) {
        self.lane = lane
        self.handshake = handshake
        // The limit holds for messages; a name or an INFO answer may be longer than a tiny one.
        var limits = RESPDecoder.Limits(stringLength: max(options.maximumMessageSize, 1 << 20))
        if handshake.isOfCluster { limits.elements = RedisConnection.elements }
        decoder = RESPDecoder(limits: limits)
        heartbeat = Heartbeat(interval: options.pingInterval)
    }

    // MARK: Requests

    mutating func publish(_ publications: [Publication], into output: inout SessionOutput) {
        RESPEncoder.publish(publications, to: &output[lane])
        for publication in publications {
            expected.append(.publication(ticket: publication.ticket))
        }
    }

    /// Publishes nothing to the probe's channel.
    mutating func publishProbe(_ topic: Topic, into output: inout SessionOutput) {
        let publication = Publication(
            ticket: 0, channel: topic.name.text, payload: .bytes([]))
        RESPEncoder.publish([publication], to: &output[lane])
        expected.append(.probe)
    }

    /// Names in one command: 10,000 channels are subscribed in 20 commands, and a publish in between
    /// does not wait for all of them.
    private static let topicsPerCommand = 500

    mutating func request(
        _ topics: [Topic], isSubscribing: Bool, into output: inout SessionOutput
    ) {
        for isPattern in [false, true] {
            let verb = SubscriptionVerb(isPattern: isPattern, isSubscribing: isSubscribing)
            let mine = topics.filter { $0.name.isPattern == isPattern }
            for start in stride(from: 0, to: mine.count, by: RedisConnection.topicsPerCommand) {
                let end = min(start + RedisConnection.topicsPerCommand, mine.count)
                send(verb, Array(mine[start..<end]), into: &output)
            }
        }
    }

    mutating func send(
        _ verb: SubscriptionVerb, _ topics: [Topic], into output: inout SessionOutput
    ) {
        RESPEncoder.command(verb.command, topics, to: &output[lane])
        expected.append(.subscription(SubscriptionRequest(verb: verb, topics: topics)))
    }

    mutating func ping(isAsked: Bool, into output: inout SessionOutput) {
        RESPEncoder.command(["PING"], to: &output[lane])
        expected.append(.pong(isAsked: isAsked))
    }

    mutating func askForRole(_ dialect: RedisURL.Dialect, into output: inout SessionOutput) {
        let command = dialect == .resp3 ? ["HELLO"] : ["INFO", "replication"]
        RESPEncoder.command(command, to: &output[lane])
        expected.append(.role)
    }

    // MARK: Answers

    /// Takes the answers to what was published from the front of the buffer. True if there was any.
    mutating func scanAnswers(
        _ buffer: inout ReceiveBuffer, into output: inout SessionOutput
    ) -> Bool {
        let received = buffer.bytes
        var position = buffer.start
        while case .publication(let ticket)? = expected.first,
            let receivers = AnswerScanner.next(received.span, at: &position)
        {
            _ = expected.removeFirst()
            output.append(published: ticket, receivers: receivers)
        }
        defer { buffer.consume(upTo: position) }
        return position > buffer.start
    }

    /// True if PING is late, and stands behind a message that a paused server holds back.
    func isHeldUp(at now: Instant) -> Bool {
        heartbeat.isOverdue(at: now) && expected.first?.isPublishing == true
    }
}
