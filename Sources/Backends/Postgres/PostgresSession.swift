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
    private var operations = Queue<PostgresOperation>()
    /// The first operation's error.
    private var failure: ServerError?
    private var notifications: NotificationReader
    private var publisher = PostgresPublisher()
    /// Groups that wait for those before them, which may have to be sent again.
    private var waiting: [PublishGroup] = []
    /// Groups that are sent and not answered: one of several messages, or any number of single ones.
    private var sent: (groups: Int, areSingle: Bool) = (0, true)
    /// The first operation has been carried out, by the server's word.
    private var isComplete = false
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
    }

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        openedAt = now
        if lane == .main {
            handshake.start(into: &output[.main])
        } else {
            probe.opened(into: &output)
        }
    }

    // MARK: Commands

    /// Publishes share commits: while one group is on its way, others gather in the core. A commit and a round trip
    /// cost what some 50 messages do, so more than this many together gain little.
    private static let groupLimit = 256

    var intake: PublishIntake {
        let isPublishing = sent.groups > 0 || !waiting.isEmpty
        return isPublishing || phase != .open ? .none : .batch(PostgresSession.groupLimit)
    }

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
            waiting += publisher.groups(of: publications)
            sendWaiting(into: &output)
        case .ping: ping(isAsked: true, into: &output)
        case .close:
            phase = .closing
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
                run("\(verb) \(Quoting.identifier(topic.name.text))", into: &output)
            }
            sync(.listen(some, isSubscribing: isSubscribing), into: &output)
        }
    }

    /// One statement, by the extended protocol: there can be no second one in its text.
    private func run(_ query: String, into output: inout SessionOutput) {
        ClientMessage.parse(statement: "", query: query, types: []).append(to: &output[.main])
        ClientMessage.bind(statement: "", values: []).append(to: &output[.main])
        ClientMessage.execute.append(to: &output[.main])
    }

    private mutating func sync(_ operation: PostgresOperation, into output: inout SessionOutput) {
        ClientMessage.sync.append(to: &output[.main])
        operations.append(operation)
    }

    private mutating func ping(isAsked: Bool, into output: inout SessionOutput) {
        ClientMessage.query("").append(to: &output[.main])
        operations.append(.ping(isAsked: isAsked))
    }

    /// The members of a group that fails are sent again, so nothing goes out behind it before it is answered: the order
    /// stays. A single message that fails is refused, and others may follow it at once. (Not where its prepared
    /// statement is gone, or the queue was full: then it comes later than those that followed.)
    private mutating func sendWaiting(into output: inout SessionOutput) {
        while let next = waiting.first {
            let isSingle = next.members.count == 1
            guard sent.groups == 0 || sent.areSingle && isSingle else { return }
            sent = (sent.groups + 1, isSingle)
            send(waiting.removeFirst(), into: &output)
        }
    }

    private mutating func send(_ group: PublishGroup, into output: inout SessionOutput) {
        var group = group
        group.isNamed = publisher.usesPreparedStatement
        publisher.append(group, to: &output[.main])
        sync(.publish(group), into: &output)
    }

    private mutating func finish(
        _ group: PublishGroup, _ error: ServerError?, into output: inout SessionOutput
    ) {
        let verdict = publisher.verdict(on: group, error)
        for ticket in verdict.published {
            output.append(published: ticket, receivers: nil)
        }
        if let (ticket, rejection) = verdict.refused {
            output.append(.publishRefused(ticket: ticket, rejection))
        }
        if verdict.asksForQueueUsage {
            run("SELECT pg_catalog.pg_notification_queue_usage()", into: &output)
            sync(.queueUsage, into: &output)
        }
        waiting = verdict.again + waiting
        sent.groups -= 1
        sendWaiting(into: &output)
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
            let frame = try PostgresFrame.next(in: received.span, at: buffer.start)
        {
            buffer.consume(upTo: frame.body.upperBound)
            let message = try ServerMessage(type: frame.type, body: received[frame.body])
            if lane == .main {
                try receive(message, into: &output)
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
        _ message: ServerMessage, into output: inout SessionOutput
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
        case .noticeResponse(let notice):
            if notice.isWarning { output.append(.warned(notice.rejection.message)) }
        case .parameterStatus(let name, let value):
            if name == "client_encoding", value != "UTF8" {
                throw unexpected("client_encoding UTF8", found: URLOptions.show(value))
            }
        case _ where operations.isEmpty:
            throw unexpected("nothing, nothing was asked", found: message.name)
        case .errorResponse(let error): failure = failure ?? error
        case .commandComplete, .emptyQuery: isComplete = true
        case .readyForQuery(.idle): try finishOperation(into: &output)
        case .dataRow(let columns):
            guard case .identify? = operations.first else { break }
            probe.isPooled = columns.first != Array(String(handshake.process).utf8)
        case .parseComplete, .bindComplete, .rowDescription, .noData, .parameterDescription,
            .closeComplete:
            break
        default: throw unexpected(operations.first?.name ?? "", found: message.name)
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
            output.append(
                .rejected(
                    Rejection(
                        kind: .unsuitable,
                        message:
                            "the server is a standby (read-only): LISTEN and NOTIFY need the primary"
                    )))
        case .done:
            phase = .preparing
            publisher.prepare(into: &output[.main])
            sync(.prepare, into: &output)
            run("SELECT pg_catalog.pg_backend_pid()", into: &output)
            sync(.identify, into: &output)
        }
    }

    private mutating func end(_ error: ServerError, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(error.rejection))
    }

    private mutating func finishOperation(
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        let error = failure
        failure = nil
        let operation = operations.removeFirst()
        if error == nil, !isComplete, operation?.isStatement == true {
            throw unexpected("CommandComplete for \(operation?.name ?? "")", found: "ReadyForQuery")
        }
        isComplete = false
        switch operation {
        case .prepare:
            publisher.usesPreparedStatement = error == nil
        case .identify:
            phase = .open
            let login = "v3, \(handshake.method)"
            output.append(
                .ready(
                    ServerIdentity(product: "postgres", version: handshake.version, dialect: login))
            )
        case .listen(let topics, let isSubscribing):
            finish(topics, isSubscribing, error, into: &output)
        case .publish(let group): finish(group, error, into: &output)
        case .ping(isAsked: true): output.append(.answered)
        case .probe(isNotification: true): probe.notified()
        case .probe(isNotification: false):
            if error == nil { probe.confirmed(into: &output) }
        case .ping, .queueUsage, nil: break
        }
    }

    // MARK: Listening

    private mutating func finish(
        _ topics: [Topic], _ isSubscribing: Bool, _ error: ServerError?,
        into output: inout SessionOutput
    ) {
        if let error {
            if error.rejection.kind == .temporary { return end(error, into: &output) }
            if topics.count > 1 {
                for topic in topics { listen([topic], isSubscribing: isSubscribing, into: &output) }
                return
            }
            for topic in topics { refuse(topic, isSubscribing, error.rejection, into: &output) }
        } else if !isSubscribing {
            for topic in topics { forget(topic, into: &output) }
        } else if probe.isOver {
            for topic in topics { output.append(.subscribed(topic: topic.id)) }
        } else {
            unverified += topics
            if probe.isIdle { sendProbe(into: &output) }
        }
    }

    private mutating func refuse(
        _ topic: Topic, _ isSubscribing: Bool, _ rejection: Rejection,
        into output: inout SessionOutput
    ) {
        notifications.remove(topic)
        output.append(
            isSubscribing
                ? .subscriptionRefused(topic: topic.id, rejection) : .unsubscribed(topic: topic.id))
    }

    private mutating func forget(_ topic: Topic, into output: inout SessionOutput) {
        notifications.remove(topic)
        output.append(.unsubscribed(topic: topic.id))
    }

    // MARK: The probe

    /// Goes on without the probe's lane.
    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        if lane == .main { return .ended }
        probe.lost()
        return .survived
    }

    private mutating func sendProbe(into output: inout SessionOutput) {
        run("LISTEN \(Quoting.identifier(probe.channel))", into: &output)
        sync(.probe(isNotification: false), into: &output)
        if probe.begin(into: &output) { return }
        probe.notify(into: &output[.main])
        operations.append(.probe(isNotification: true))
    }

    private mutating func probeIsOver(into output: inout SessionOutput) {
        for topic in unverified { output.append(.subscribed(topic: topic.id)) }
        unverified = []
        run("UNLISTEN \(Quoting.identifier(probe.channel))", into: &output)
        sync(.probe(isNotification: false), into: &output)
    }

    private mutating func probeIsLost(into output: inout SessionOutput) {
        let rejection = Rejection(
            kind: .permanent,
            message:
                "LISTEN was accepted, but a notification to ourselves did not come back: is a pooler in"
                + " transaction mode between? Connect to Postgres itself, or use session mode"
        )
        for topic in unverified { refuse(topic, true, rejection, into: &output) }
        unverified = []
    }

    // MARK: Time

    var deadline: Instant? {
        switch phase {
        case .greeting, .preparing: handshake.hasWork ? openedAt : nil
        case .closing: nil
        case .open where probe.wantsTime: openedAt
        case .open: [probe.deadline, heartbeat.deadline ?? openedAt].compactMap { $0 }.min()
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
        switch heartbeat.timeReached(now) {
        case .wait: break
        case .ask: ping(isAsked: false, into: &output)
        case .dead:
            throw ProtocolError(
                silence: "the server is silent: no answer to an empty query for"
                    + " \(options.pingInterval)")
        }
    }
}
