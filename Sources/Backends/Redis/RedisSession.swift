import BroadcasterWire

/// One conversation with a Redis server: handshake, subscriptions, publishing, signs of life.
///
/// RESP3 does all of it on the main lane. RESP2 allows only subscription commands on a connection that is
/// subscribed, so there the subscriber lane carries those, and the main lane the rest.
struct RedisSession: Session {
    private enum Phase: Hashable {
        /// Waiting for the handshakes of all lanes.
        case greeting
        case open
        /// QUIT was sent, or the server rejected us: what still comes does not matter.
        case closing
    }

    private struct Connection {
        var decoder: RESPDecoder
        var handshake: RedisHandshake
        var isGreeted = false
        var heartbeat: Heartbeat
        var expected = Queue<ExpectedReply>()
    }

    private let url: RedisURL
    private let options: CommonOptions
    private var phase = Phase.greeting
    /// An expired deadline: requests an immediate `timeReached`.
    private var openedAt: Instant?
    private var dialect: RedisURL.Dialect
    private var lanes: [Connection] = []
    private var messages: MessageReader
    private var role: RedisRole
    private var probe: RedisProbe

    /// - Parameter nonce: for the name of a channel that only this session uses.
    init(_ url: RedisURL, options: CommonOptions, nonce: String) {
        self.url = url
        self.options = options
        dialect = url.dialect
        role = RedisRole(answerTimeout: options.answerTimeout)
        probe = RedisProbe(nonce: nonce, interval: options.pingInterval)
        messages = MessageReader(limit: options.maximumMessageSize, passingOver: probe.topic)
    }

    // MARK: Opening

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        // The limit holds for messages; a name or an INFO answer may be longer than a tiny one.
        let limits = RESPDecoder.Limits(stringLength: max(options.maximumMessageSize, 1 << 20))
        var connection = Connection(
            decoder: RESPDecoder(limits: limits),
            handshake: RedisHandshake(
                url.using(password: peer.password), lane: lane, dialect: dialect, role: role),
            heartbeat: Heartbeat(interval: options.pingInterval))
        let outcome = connection.handshake.start(lane, into: &output)
        lanes.append(connection)
        openedAt = now
        settle(outcome, on: lane, into: &output)
    }

    private mutating func settle(
        _ outcome: RedisHandshake.Outcome, on lane: Lane, into output: inout SessionOutput
    ) {
        switch outcome {
        case .goOn: break
        case .rejected(let rejection): end(rejection, into: &output)
        case .done:
            lanes[lane.index].isGreeted = true
            dialect = lanes[lane.index].handshake.dialect
            if dialect == .resp2, lane == .main { return output.connect(.subscriptions) }
            phase = .open
            let main = lanes[0].handshake
            role = main.role
            output.append(
                .ready(
                    ServerIdentity(
                        product: main.product, version: main.version,
                        dialect: dialect == .resp3 ? "RESP3" : "RESP2")))
        }
    }

    /// The lane that subscriptions live on.
    private var subscriberLane: Lane { dialect == .resp3 ? .main : .subscriptions }

    // MARK: Commands

    /// Messages that come when the end is near wait for the next connection, unsent.
    var intake: PublishIntake { phase == .open ? .pipelined : .none }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let topics): request(topics, isSubscribing: true, into: &output)
        case .unsubscribe(let topics): request(topics, isSubscribing: false, into: &output)
        case .publish(let publications) where !role.canPublish:
            // And the connection ends: the name may lead to the master by now.
            for publication in publications {
                output.append(
                    .publishRefused(ticket: publication.ticket, RedisRole.cannotPublish))
            }
            end(RedisRole.cannotPublish, into: &output)
        case .publish(let publications):
            RESPEncoder.publish(publications, to: &output[.main])
            for publication in publications {
                lanes[0].expected.append(.publication(ticket: publication.ticket))
            }
        case .ping: ping(.main, isAsked: true, into: &output)
        case .close:
            phase = .closing
            for index in lanes.indices {
                RESPEncoder.command(["QUIT"], to: &output[Lane(index: index)])
            }
        }
    }

    /// Names in one command: 10,000 channels are subscribed in 20 commands, and a publish in between
    /// does not wait for all of them.
    private static let topicsPerCommand = 500

    private mutating func request(
        _ topics: [Topic], isSubscribing: Bool, into output: inout SessionOutput
    ) {
        if isSubscribing { messages.insert(topics) }
        for isPattern in [false, true] {
            let verb = SubscriptionVerb(isPattern: isPattern, isSubscribing: isSubscribing)
            let mine = topics.filter { $0.name.isPattern == isPattern }
            for start in stride(from: 0, to: mine.count, by: RedisSession.topicsPerCommand) {
                let end = min(start + RedisSession.topicsPerCommand, mine.count)
                send(verb, Array(mine[start..<end]), into: &output)
            }
        }
    }

    private mutating func send(
        _ verb: SubscriptionVerb, _ topics: [Topic], into output: inout SessionOutput
    ) {
        let lane = subscriberLane
        RESPEncoder.command([verb.command] + topics.map(\.name.text), to: &output[lane])
        lanes[lane.index].expected.append(
            .subscription(SubscriptionRequest(verb: verb, topics: topics)))
    }

    private mutating func ping(_ lane: Lane, isAsked: Bool, into output: inout SessionOutput) {
        RESPEncoder.command(["PING"], to: &output[lane])
        lanes[lane.index].expected.append(.pong(isAsked: isAsked))
    }

    // MARK: What comes

    /// Bytes. Of small messages, the last is often incomplete too.
    private static let largeMessage = 65_536

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        lanes[lane.index].heartbeat.heard()
        if !lanes[lane.index].decoder.isAtBoundary, buffer.count >= RedisSession.largeMessage {
            // A large message on its way is one that arrives, and what was asked is answered behind it.
            if lane == subscriberLane { probe.arrived() }
            if lane == .main { role.progressed(at: now) }
        }
        while phase != .closing {
            if phase == .open, lanes[lane.index].decoder.isAtBoundary {
                scan(&buffer, lane, at: now, into: &output)
            }
            guard let value = try lanes[lane.index].decoder.next(&buffer) else { return }
            try receive(value.plain, on: lane, at: now, into: &output)
        }
        buffer.consume(upTo: buffer.bytes.count)
    }

    /// The fast way for what comes by the million, until there is something else in front.
    private mutating func scan(
        _ buffer: inout ReceiveBuffer, _ lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) {
        var start: Int
        repeat {
            start = buffer.start
            if lane == subscriberLane, messages.takeRuns(from: &buffer, dialect, into: &output) {
                probe.arrived()
            }
            if lane == .main { scanAnswers(&buffer, at: now, into: &output) }
        } while buffer.start > start
    }

    /// Answers to what was published.
    private mutating func scanAnswers(
        _ buffer: inout ReceiveBuffer, at now: Instant, into output: inout SessionOutput
    ) {
        let received = buffer.bytes
        var position = buffer.start
        while case .publication(let ticket)? = lanes[0].expected.first,
            let receivers = AnswerScanner.next(received.span, at: &position)
        {
            _ = lanes[0].expected.removeFirst()
            output.append(published: ticket, receivers: receivers)
        }
        if position > buffer.start { role.progressed(at: now) }
        buffer.consume(upTo: position)
    }

    mutating func wrote(on lane: Lane, at now: Instant) {
        guard lanes.indices.contains(lane.index) else { return }
        lanes[lane.index].heartbeat.heard()
        role.progressed(at: now)
    }

    private mutating func receive(
        _ value: RESPValue, on lane: Lane, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch value {
        case .push(let items): try receivePush(items, on: lane, at: now, into: &output)
        case .array(let items) where dialect == .resp2 && lane == .subscriptions && phase == .open:
            try receivePush(items, on: lane, at: now, into: &output)
        default:
            if lanes[lane.index].isGreeted {
                try receiveReply(value, on: lane, at: now, into: &output)
            } else {
                let outcome = try lanes[lane.index].handshake.received(value, lane, into: &output)
                settle(outcome, on: lane, into: &output)
            }
        }
    }

    private mutating func receivePush(
        _ items: [RESPValue], on lane: Lane, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        let texts = items.map(\.plain.text)
        guard let word = texts.first ?? nil else {
            throw unknownPush(expected: "a string first", items)
        }
        let expected = "strings: the channel and the message"
        switch (String(decoding: word, as: UTF8.self), texts.count) {
        case ("message", 3):
            guard let channel = texts[1], let message = texts[2] else {
                throw unknownPush(expected: expected, items)
            }
            probe.arrived()
            messages.take(message, on: channel, into: &output)
        case ("pmessage", 4):
            guard let pattern = texts[1], let channel = texts[2], let message = texts[3] else {
                throw unknownPush(expected: expected, items)
            }
            probe.arrived()
            messages.take(message, on: channel, matching: pattern, into: &output)
        case ("message", _), ("pmessage", _): throw unknownPush(expected: expected, items)
        case ("pong", _) where dialect == .resp2:
            try receiveReply(.simpleString(word), on: lane, at: now, into: &output)
        case (let text, let count):
            // A word that no version we know sends is a later version's business.
            guard let verb = SubscriptionVerb(confirmation: text) else { return }
            guard count == 3 else { throw unknownPush(expected: "a channel and a count", items) }
            try receiveConfirmation(verb, name: texts[1] ?? [], on: lane, into: &output)
        }
    }

    private func unknownPush(expected: String, _ items: [RESPValue]) -> ProtocolError {
        ProtocolError(
            reading: "Redis push", expected: expected,
            found: "\(items.count) values: "
                + items.prefix(5).map(\.kind).joined(separator: ", "))
    }

    private mutating func receiveConfirmation(
        _ verb: SubscriptionVerb, name: [UInt8], on lane: Lane, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard case .subscription(var request)? = lanes[lane.index].expected.first,
            request.verb == verb, let topic = request.confirm(name)
        else {
            throw ProtocolError(
                reading: "Redis push", expected: "only confirmations of what was asked for",
                found: "\(verb.confirmation) of a channel with a name of \(name.count) bytes")
        }
        if request.isComplete {
            _ = lanes[lane.index].expected.removeFirst()
        } else {
            lanes[lane.index].expected.first = .subscription(request)
        }
        if topic == probe.topic {
            receiveProbeConfirmation(verb, into: &output)
        } else if verb.isSubscribing {
            output.append(.subscribed(topic: topic.id))
        } else {
            messages.remove(topic)
            output.append(.unsubscribed(topic: topic.id))
        }
        if !messages.hasTopics, probe.leave() {
            self.request([probe.topic], isSubscribing: false, into: &output)
        }
    }

    private mutating func receiveReply(
        _ value: RESPValue, on lane: Lane, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        if lane == .main { role.progressed(at: now) }
        let value = if case .blobError(let text) = value { RESPValue.error(text) } else { value }
        switch (lanes[lane.index].expected.removeFirst(), value) {
        case (.publication(let ticket), .integer(let count)) where count >= 0:
            output.append(published: ticket, receivers: Int(count))
        case (.publication(let ticket), .error(let text)):
            output.append(.publishRefused(ticket: ticket, Rejection(redis: text)))
        case (.pong(let isAsked), .simpleString), (.pong(let isAsked), .error):
            // An error is a sign of life too: -LOADING, -MASTERDOWN.
            if isAsked { output.append(.answered) }
        case (.probe, .integer): probe.accepted()
        case (.probe, .error(let text)):
            // A script runs (-BUSY), for one: the next probe comes through.
            if Rejection(redis: text).kind != .temporary { probe.refuse() }
        case (.role, _):
            if role.checked(value) { end(RedisRole.lost, into: &output) }
        case (.subscription(let request), .error(let text)):
            refused(request, Rejection(redis: text), into: &output)
        case (let expected, _):
            throw ProtocolError(
                reading: "Redis reply",
                expected: expected.map { "an answer to \($0.name)" }
                    ?? "nothing, none was asked for",
                found: "a value of type \(value.kind)")
        }
    }

    /// Redis refuses a whole command for one of its channels: asked one by one, the others come through.
    private mutating func refused(
        _ request: SubscriptionRequest, _ rejection: Rejection, into output: inout SessionOutput
    ) {
        let topics = request.topics
        if rejection.kind == .temporary {
            // -BUSY, -LOADING: the connection is given up and made again, until it heals.
            end(rejection, into: &output)
        } else if topics.count > 1 {
            for topic in topics { send(request.verb, [topic], into: &output) }
        } else if topics.first == probe.topic {
            messages.remove(probe.topic)
            probe.refuse()
        } else if let topic = topics.first {
            messages.remove(topic)
            output.append(
                request.verb.isSubscribing
                    ? .subscriptionRefused(topic: topic.id, rejection)
                    : .unsubscribed(topic: topic.id))
        }
    }

    private mutating func end(_ rejection: Rejection, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(rejection))
    }

    // MARK: The probe

    private mutating func receiveProbeConfirmation(
        _ verb: SubscriptionVerb, into output: inout SessionOutput
    ) {
        if verb.isSubscribing {
            probe.subscribed()
            sendProbe(into: &output)
        } else {
            messages.remove(probe.topic)
            probe.unsubscribed()
        }
    }

    private mutating func sendProbe(into output: inout SessionOutput) {
        let publication = Publication(
            ticket: 0, channel: probe.topic.name.text, payload: .bytes([]))
        RESPEncoder.publish([publication], to: &output[.main])
        lanes[0].expected.append(.probe)
    }

    private mutating func askForRole(into output: inout SessionOutput) {
        let command = dialect == .resp3 ? ["HELLO"] : ["INFO", "replication"]
        RESPEncoder.command(command, to: &output[.main])
        lanes[0].expected.append(.role)
    }

    // MARK: Time

    /// Before the session is open, the core's deadline for connecting is the one that counts.
    var deadline: Instant? {
        guard phase == .open, let openedAt else { return nil }
        let times = lanes.map { $0.heartbeat.deadline ?? openedAt }
        return (times + [role.nextCheck, probe.deadline(past: openedAt)].compactMap { $0 }).min()
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard phase == .open else { return }
        for index in lanes.indices {
            if lanes[index].heartbeat.deadline == nil { lanes[index].heartbeat.start(at: now) }
            switch lanes[index].heartbeat.timeReached(now) {
            case .wait: break
            case .ask: ping(Lane(index: index), isAsked: false, into: &output)
            case .dead:
                throw ProtocolError(
                    silence: "the server is silent: no answer to PING for \(options.pingInterval)")
            }
        }
        if role.isOverdue(at: now) {
            throw ProtocolError(silence: "the server sends, but has answered nothing for too long")
        }
        if role.timeReached(now, interval: options.pingInterval) { askForRole(into: &output) }
        switch try probe.timeReached(now, isNeeded: messages.hasTopics) {
        case .wait: break
        case .subscribe: request([probe.topic], isSubscribing: true, into: &output)
        case .publish: sendProbe(into: &output)
        }
    }
}
