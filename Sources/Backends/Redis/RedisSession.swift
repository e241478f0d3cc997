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

    private let url: RedisURL
    private let options: CommonOptions
    private var phase = Phase.greeting
    /// An expired deadline: requests an immediate `timeReached`.
    private var openedAt: Instant?
    private var dialect: RedisURL.Dialect
    private var lanes: [RedisConnection] = []
    private var messages: MessageReader
    private var role: RedisRole
    private var probe: RedisProbe
    private var witness: RedisWitness
    /// Where this session's turn among the nodes of a cluster begins: else all would go to the same when one is lost.
    private let turn: Int

    /// - Parameter nonce: for the name of a channel that only this session uses.
    init(_ url: RedisURL, options: CommonOptions, nonce: String) {
        self.url = url
        self.options = options
        dialect = url.dialect
        role = RedisRole(answerTimeout: options.answerTimeout)
        probe = RedisProbe(nonce: nonce, interval: options.pingInterval)
        witness = RedisWitness(channel: probe.topic.name.text)
        messages = MessageReader(limit: options.maximumMessageSize, passingOver: probe.topic)
        turn = nonce.utf8.reduce(0) { $0 &* 31 &+ Int($1) } & 0xffff
    }

    // MARK: Opening

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        let url = url.using(password: peer.password)
        if lane == .witness {
            return witness.opened(RedisLogin(url), at: now, into: &output)
        }
        var connection = RedisConnection(
            RedisHandshake(url, lane: lane, dialect: dialect, role: role, to: peer.endpoint),
            lane: lane, options: options)
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
            let others = main.neighbours.others
            if !others.isEmpty {
                output.append(.learned(others.indices.map { others[($0 + turn) % others.count] }))
            }
            output.append(
                .ready(
                    ServerIdentity(
                        product: main.product, version: main.version,
                        dialect: dialect == .resp3 ? "RESP3" : "RESP2")))
        }
    }

    /// A server that closes on HELLO is tried once in RESP2: old proxies do so with a command that they do not know.
    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        if lane == .witness {
            witness.lost()
            return .survived
        }
        guard phase == .greeting, lane == .main, case .lost = failure,
            let handshake = lanes.first?.handshake
        else { return .ended }
        if handshake.isUnanswered {
            dialect = .resp2
            lanes = []
            output.connect(.main)
            return .survived
        }
        guard let refusal = handshake.refusal else { return .ended }
        end(refusal, into: &output)
        return .survived
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
            lanes[0].publish(publications, into: &output)
        case .read: break  // Comes to backends that keep a history.
        case .ping: lanes[0].ping(isAsked: true, into: &output)
        case .close:
            phase = .closing
            for index in lanes.indices {
                RESPEncoder.command(["QUIT"], to: &output[Lane(index: index)])
            }
        }
    }

    private mutating func request(
        _ topics: [Topic], isSubscribing: Bool, into output: inout SessionOutput
    ) {
        if isSubscribing { messages.insert(topics) }
        lanes[subscriberLane.index].request(topics, isSubscribing: isSubscribing, into: &output)
    }

    // MARK: What comes

    /// Bytes. Of small messages, the last is often incomplete too.
    private static let largeMessage = 65_536

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        if lane == .witness { return witness.receive(&buffer, at: now) }
        if lane == .main { witness.dismiss(into: &output) }
        lanes[lane.index].heartbeat.heard()
        if buffer.expected > 0, buffer.count >= RedisSession.largeMessage {
            // A large message on its way is one that arrives, and what was asked is answered behind it.
            if lane == subscriberLane { probe.arrived() }
            if lane == .main { role.progressed(at: now) }
        }
        while phase != .closing {
            if phase == .open, lanes[lane.index].decoder.isAtBoundary {
                scan(&buffer, lane, at: now, into: &output)
                if lane == subscriberLane, messages.isWaiting { return }
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
        var isMoving: Bool
        repeat {
            isMoving = false
            if lane == subscriberLane, messages.takeRuns(from: &buffer, dialect, into: &output) {
                probe.arrived()
                isMoving = true
            }
            if lane == .main, lanes[0].scanAnswers(&buffer, into: &output) {
                role.progressed(at: now)
                isMoving = true
            }
        } while isMoving
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
        switch try RedisPush(items) {
        case .message(let message, let channel, let pattern):
            probe.arrived()
            messages.take(message, on: channel, matching: pattern, into: &output)
        case .confirmation(let verb, let name):
            try receiveConfirmation(verb, name: name, on: lane, into: &output)
        case .pong where dialect == .resp2:
            try receiveReply(.simpleString([]), on: lane, at: now, into: &output)
        case .pong, .other: break
        }
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
            throw ProtocolError(unexpected: value, to: expected?.name)
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
            for topic in topics {
                lanes[subscriberLane.index].send(request.verb, [topic], into: &output)
            }
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
            lanes[0].publishProbe(probe.topic, into: &output)
        } else {
            messages.remove(probe.topic)
            probe.unsubscribed()
        }
    }

    // MARK: Time

    /// Before the session is open, the core's deadline for connecting is the one that counts.
    var deadline: Instant? {
        guard phase == .open, let openedAt else { return nil }
        var next = role.nextCheck.orEarlier(probe.deadline(past: openedAt))
        for index in lanes.indices {
            next = next.orEarlier(lanes[index].heartbeat.deadline ?? openedAt)
        }
        return next
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard phase == .open else { return }
        for index in lanes.indices { try beat(Lane(index: index), at: now, into: &output) }
        if role.isOverdue(at: now) {
            throw ProtocolError(silence: "the server sends, but has answered nothing for too long")
        }
        if role.timeReached(now, interval: options.pingInterval) {
            lanes[0].askForRole(dialect, into: &output)
        }
        switch try probe.timeReached(now, isNeeded: messages.hasTopics) {
        case .wait: break
        case .subscribe: request([probe.topic], isSubscribing: true, into: &output)
        case .publish: lanes[0].publishProbe(probe.topic, into: &output)
        }
    }
    private mutating func beat(
        _ lane: Lane, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        let place = lane.index
        if lanes[place].heartbeat.deadline == nil { lanes[place].heartbeat.start(at: now) }
        switch lanes[place].heartbeat.timeReached(now) {
        case .wait:
            if lanes[place].isHeldUp(at: now) { witness.call(into: &output) }
        case .ask: lanes[place].ping(isAsked: false, into: &output)
        case .dead where lane == .main && witness.isHeld(at: now):
            // The server has paused, and what we have asked it is answered after that.
            witness.dismiss(into: &output)
            lanes[place].heartbeat.start(at: now)
            role.progressed(at: now)
        case .dead:
            throw ProtocolError(
                silence: "the server is silent: no answer to PING for \(options.pingInterval)")
        }
    }
}
