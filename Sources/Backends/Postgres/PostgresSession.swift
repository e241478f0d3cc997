import BroadcasterWire

/// One conversation with a Postgres server: login, LISTEN, publishing by `pg_notify`, signs of life.
struct PostgresSession: Session {
    private enum Phase: Hashable {
        /// Leads to: preparing, closing.
        case greeting
        /// Leads to: open, closing.
        case preparing
        /// Leads to: closing.
        case open
        /// Terminate was sent, or the server has ended it: what still comes does not matter.
        case closing
    }

    private let url: PostgresURL
    private let options: CommonOptions
    private var handshake: PostgresHandshake
    private var phase = Phase.greeting
    private var ledger = OperationLedger()
    private var notifications: NotificationReader
    private var publishing = PublishPipeline()
    private var cancellation: PostgresCancellation
    private var probe: PostgresProbe
    /// Topics that wait for the probe.
    private var unverified: [Topic] = []
    private var heartbeat: Heartbeat
    /// An expired deadline: requests an immediate `timeReached`.
    private var openedAt: Instant?

    init(_ url: PostgresURL, options: CommonOptions, nonce: String) {
        self.url = url
        self.options = options
        handshake = PostgresHandshake(url, nonce: nonce)
        probe = PostgresProbe(url, nonce: nonce)
        notifications = NotificationReader(limit: options.maximumMessageSize)
        heartbeat = Heartbeat(interval: options.pingInterval)
        cancellation = PostgresCancellation(
            on: .cancellation, answerWithin: min(options.pingInterval, .seconds(5)))
    }

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        openedAt = now
        switch lane {
        case .main: handshake.start(with: peer, into: &output[.main])
        case .cancellation: cancellation.opened(into: &output)
        default: probe.opened(lane, to: peer, into: &output)
        }
    }

    // MARK: Commands

    var intake: PublishIntake { phase == .open ? publishing.intake : .none }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let topics):
            for topic in topics { notifications.insert(topic) }
            listen(topics, isSubscribing: true, into: &output)
        case .unsubscribe(let topics): listen(topics, isSubscribing: false, into: &output)
        case .publish(let publications):
            publishing.publish(publications, &ledger, into: &output[.main])
        case .read: break  // Comes to backends that keep a history.
        case .ping: ping(isAsked: true, into: &output)
        case .close:
            phase = .closing
            // What nobody waits for any more is not to go on there.
            if ledger.first?.isWork == true { cancellation.cancel(into: &output) }
            ClientMessage.terminate.append(to: &output[.main])
        }
    }

    /// Statements in one transaction.
    private static let topicsPerTransaction = 500

    private mutating func listen(
        _ topics: [Topic], isSubscribing: Bool, into output: inout SessionOutput
    ) {
        for start in stride(from: 0, to: topics.count, by: PostgresSession.topicsPerTransaction) {
            let end = min(start + PostgresSession.topicsPerTransaction, topics.count)
            let some = Array(topics[start..<end])
            for topic in some {
                let verb = isSubscribing ? "LISTEN" : "UNLISTEN"
                ClientMessage.run(
                    "\(verb) \(Quoting.identifier(topic.name.text))", into: &output[.main])
            }
            sync(.listen(some, isSubscribing: isSubscribing), into: &output)
        }
    }

    private mutating func sync(_ operation: PostgresOperation, into output: inout SessionOutput) {
        ClientMessage.sync.append(to: &output[.main])
        ledger.append(operation)
    }

    private mutating func ping(isAsked: Bool, into output: inout SessionOutput) {
        ClientMessage.query("").append(to: &output[.main])
        ledger.append(.ping(isAsked: isAsked))
    }

    // MARK: What comes

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        if lane == .main { heartbeat.heard() }
        let received = buffer.bytes
        if lane == .main { takeNotifications(&buffer, into: &output) }
        while phase != .closing,
            let message = try ServerMessage.next(
                in: received, &buffer,
                isFirst: lane == .main ? handshake.isUnanswered : probe.isUnanswered)
        {
            if lane == .main {
                try receive(message, at: now, into: &output)
                takeNotifications(&buffer, into: &output)
            } else {
                try probe.received(message, into: &output)
            }
        }
        if phase == .closing { buffer.consume(upTo: buffer.bytes.count) }
    }

    mutating func wrote(on lane: Lane, at now: Instant) {
        if lane == .main { heartbeat.heard() }
    }

    private mutating func takeNotifications(
        _ buffer: inout ReceiveBuffer, into output: inout SessionOutput
    ) {
        guard phase == .open, probe.isOver else { return }
        notifications.takeRuns(from: &buffer, into: &output)
    }

    private mutating func receive(
        _ message: ServerMessage, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch message {
        case _ where phase == .greeting: try greet(message, into: &output)
        case .notification(let process, let channel, let payload):
            let isOurs = notifications.take(
                from: process, channel: channel, payload: payload, into: &output)
            if !isOurs, channel.elementsEqual(probe.channel.utf8), probe.returned() {
                probeIsOver(into: &output)
            }
        case .errorResponse(let error) where error.isFatal: end(error, into: &output)
        case .noticeResponse(let notice) where notice.isFatal: end(notice, into: &output)
        case .noticeResponse(let notice) where notice.code == ServerError.nameTooLong:
            ledger.truncated(notice)
        case .noticeResponse(let notice):
            if notice.isWarning { output.append(.warned(notice.rejection.message)) }
        case .parameterStatus(let name, let value):
            if name == "client_encoding", value != "UTF8" {
                throw unexpected("client_encoding UTF8", found: URLOptions.show(value))
            }
        case _ where ledger.isEmpty:
            throw unexpected("nothing, nothing was asked", found: message.name)
        case .errorResponse(let error): ledger.failed(error)
        case .commandComplete, .emptyQuery: ledger.completed()
        case .readyForQuery(.idle): try finishOperation(at: now, into: &output)
        case .parseComplete: ledger.statementParsed()
        case .dataRow(let columns):
            guard case .identify? = ledger.first else { break }
            probe.isPooled = columns.first != Array(String(handshake.process).utf8)
        case .bindComplete, .rowDescription, .noData, .parameterDescription, .closeComplete: break
        default: throw unexpected(ledger.first?.name ?? "", found: message.name)
        }
    }

    private func unexpected(_ expected: String, found: String) -> ProtocolError {
        ProtocolError(reading: "Postgres answer", expected: expected, found: found)
    }

    private mutating func greet(
        _ message: ServerMessage, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch try handshake.received(message, into: &output[.main]) {
        case .goOn: break
        case .rejected(let rejection):
            phase = .closing
            output.append(.rejected(rejection))
        case .done where handshake.isStandby:
            phase = .closing
            output.append(.rejected(.standby))
        case .done:
            phase = .preparing
            cancellation.learn(process: handshake.process, key: handshake.secret)
            publishing.prepare(into: &output[.main])
            sync(.prepare, into: &output)
            ClientMessage.run("SELECT pg_catalog.pg_backend_pid()", into: &output[.main])
            sync(.identify, into: &output)
        }
    }

    private mutating func end(_ error: ServerError, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(error.rejection))
    }

    private mutating func finishOperation(
        at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard let answer = try ledger.finishFirst() else { return }
        defer { cancellation.answered(hasMore: ledger.first?.isWork == true, at: now) }
        switch answer.operation {
        case .prepare: publishing.prepared(answer.error)
        case .identify:
            phase = .open
            let login = "v3, \(handshake.method)"
            output.append(
                .ready(
                    ServerIdentity(product: "postgres", version: handshake.version, dialect: login))
            )
        case .listen(let topics, isSubscribing: true): listened(to: topics, answer, into: &output)
        case .listen(let topics, isSubscribing: false):
            unlistened(topics, answer.error, into: &output)
        case .publish(let group):
            publishing.finish(
                group, answer.error, isCancelled: cancellation.isUnderWay, &ledger, into: &output)
        case .ping(isAsked: true): output.append(.answered)
        case .probe where answer.error == nil: probe.confirmed(into: &output)
        case .probe: probe.giveUp(into: &output)
        case .ping, .queueUsage: break
        }
    }

    // MARK: Listening

    private mutating func listened(
        to topics: [Topic], _ answer: OperationLedger.Answer, into output: inout SessionOutput
    ) {
        if let error = answer.error {
            notListening(to: topics, error, into: &output)
            return
        }
        // The server listens to the shorter name then, of which nothing is delivered; another subscriber may want that
        // name, so the session does not leave it.
        var heard: [Topic] = []
        for (place, topic) in topics.enumerated() {
            if let notice = answer.truncations[place] {
                refuse(topic, .cutName(notice), into: &output)
            } else {
                heard.append(topic)
            }
        }
        if probe.isOver {
            for topic in heard { output.append(.subscribed(topic: topic.id)) }
        } else if !heard.isEmpty {
            unverified += heard
            if probe.isIdle { sendProbe(into: &output) }
        }
    }

    /// An error that may pass ends the session: the next one asks for all topics again.
    private mutating func notListening(
        to topics: [Topic], _ error: ServerError, into output: inout SessionOutput
    ) {
        switch error.rejection.kind {
        case .temporary, .unsuitable: return end(error, into: &output)
        case .authentication, .permission, .permanent: break
        }
        if topics.count > 1 {
            for topic in topics { listen([topic], isSubscribing: true, into: &output) }
            return
        }
        // What says nothing of the channel ends no subscription that another connection had.
        let rejection =
            SQLState.refusesChannel(error.code)
            ? error.rejection
            : Rejection(kind: .unsuitable, message: error.rejection.message)
        for topic in topics { refuse(topic, rejection, into: &output) }
    }

    private mutating func unlistened(
        _ topics: [Topic], _ error: ServerError?, into output: inout SessionOutput
    ) {
        if let error, error.rejection.kind == .temporary { return end(error, into: &output) }
        if error != nil, topics.count > 1 {
            for topic in topics { listen([topic], isSubscribing: false, into: &output) }
            return
        }
        for topic in topics {
            notifications.remove(topic)
            output.append(.unsubscribed(topic: topic.id))
        }
    }

    private mutating func refuse(
        _ topic: Topic, _ rejection: Rejection, into output: inout SessionOutput
    ) {
        notifications.remove(topic)
        output.append(.subscriptionRefused(topic: topic.id, rejection))
    }

    // MARK: The probe

    /// Goes on without all lanes but the main one.
    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        if lane == .main { return .ended }
        probe.lost(lane)
        return .survived
    }

    private mutating func sendProbe(into output: inout SessionOutput) {
        ClientMessage.run("LISTEN \(Quoting.identifier(probe.channel))", into: &output[.main])
        sync(.probe, into: &output)
        probe.begin(into: &output)
    }

    private mutating func probeIsOver(into output: inout SessionOutput) {
        for topic in unverified { output.append(.subscribed(topic: topic.id)) }
        unverified = []
        ClientMessage.run("UNLISTEN \(Quoting.identifier(probe.channel))", into: &output[.main])
        sync(.probe, into: &output)
    }

    private mutating func probeIsLost(into output: inout SessionOutput) {
        for topic in unverified { refuse(topic, .unheard, into: &output) }
        unverified = []
    }

    // MARK: Time

    var deadline: Instant? {
        switch phase {
        case .greeting, .preparing: handshake.hasWork ? openedAt : nil
        case .closing: nil
        case .open where probe.wantsTime: openedAt
        case .open:
            probe.deadline.orEarlier(cancellation.deadline)
                .orEarlier(heartbeat.deadline ?? openedAt)
        }
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        handshake.work(into: &output[.main])
        guard phase == .open else { return }
        if heartbeat.deadline == nil { heartbeat.start(at: now) }
        switch probe.timeReached(now, into: &output) {
        case .wait: break
        case .accepted: probeIsOver(into: &output)
        case .lost: probeIsLost(into: &output)
        }
        cancellation.timeReached(now, into: &output)
        switch heartbeat.timeReached(now) {
        case .wait: break
        case .ask:
            if ledger.first?.isWork == true { cancellation.begin(at: now) }
            ping(isAsked: false, into: &output)
        case .dead:
            throw ProtocolError(
                silence: "the server is silent: no answer to an empty query for"
                    + " \(options.pingInterval)")
        }
    }
}
