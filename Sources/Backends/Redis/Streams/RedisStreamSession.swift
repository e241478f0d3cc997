import BroadcasterWire

/// One conversation with a Redis server whose streams are the channels' histories.
///
/// The main lane publishes (XADD) and reads pages (XRANGE); the other waits for new entries (XREAD). What the second brings
/// is never delivered: XREAD cannot tell that entries were trimmed away before it came, or that the stream was made anew. It
/// also stays deaf for ever where a stream was made anew with lower ids, so all streams are looked at twice a minute.
struct RedisStreamSession: Session {
    private enum Phase: Hashable {
        case greeting
        case open
        case closing
    }

    private let url: RedisURL
    private let retention: StreamRetention
    private let options: CommonOptions
    private var phase = Phase.greeting
    private var connections: [StreamConnection] = []
    private var identity: ServerIdentity?
    private var bells: StreamBells
    private var pages = StreamPages()
    private var publishing: StreamPublisher
    /// The number by which the server knows the waiting lane; nil before it has said so.
    private var waiterID: Int64?
    private var isWaking = false
    private var wakeAgainAt: Instant?
    private var nextSweep: Instant?
    private var openedAt: Instant?

    /// The time between two looks at all streams.
    private static let sweepInterval: Duration = .seconds(30)
    /// The same where XREAD is not allowed: then a look is what finds new entries.
    private static let shortSweep: Duration = .milliseconds(250)
    private var canWait = true
    /// The last answer to `askForSlots`.
    private var slots: RESPValue?

    init(_ url: RedisURL, _ retention: StreamRetention, options: CommonOptions) {
        self.url = url
        self.retention = retention
        self.options = options
        // Shorter than the silence after which a lane is asked for a sign of life.
        bells = StreamBells(
            block: max(.milliseconds(20), min(.milliseconds(2500), options.pingInterval / 4)),
            isOfCluster: url.isOfCluster)
        publishing = StreamPublisher(retention)
    }

    // MARK: Opening

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        let role = RedisRole(answerTimeout: options.answerTimeout)
        let dialect = connections.first?.handshake.dialect ?? url.dialect
        var connection = StreamConnection(
            RedisHandshake(
                url.using(password: peer.password), lane: lane, dialect: dialect, role: role,
                to: peer.endpoint),
            options)
        let outcome = connection.handshake.start(lane, into: &output)
        connections.append(connection)
        openedAt = now
        settle(outcome, on: lane, into: &output)
    }

    private mutating func settle(
        _ outcome: RedisHandshake.Outcome, on lane: Lane, into output: inout SessionOutput
    ) {
        switch outcome {
        case .goOn: break
        case .rejected(let rejection): end(rejection, into: &output)
        case .done where lane == .main:
            connections[0].isGreeted = true
            output.connect(.bells)
        case .done:
            connections[lane.index].isGreeted = true
            send([["CLIENT", "ID"]], .waiterID, on: lane, into: &output)
            phase = .open
            let main = connections[0].handshake
            output.append(
                .ready(
                    ServerIdentity(
                        product: main.product, version: main.version,
                        dialect: main.dialect == .resp3 ? "RESP3" : "RESP2")))
        }
    }

    /// A server that closes on HELLO is tried once in RESP2, as for PUB/SUB. Else both lanes are needed: without a gap, the next
    /// connection goes on where this one stood.
    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        guard phase == .greeting, lane == .main, case .lost = failure,
            let handshake = connections.first?.handshake
        else { return .ended }
        if let refusal = handshake.refusal { end(refusal, into: &output) }
        return handshake.refusal == nil ? .ended : .survived
    }

    // MARK: Commands

    var intake: PublishIntake { phase == .open ? .pipelined : .none }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let topics):
            for topic in topics { lookAt(topic, .tail(topic), into: &output) }
        case .unsubscribe(let topics):
            for topic in topics {
                bells.remove(topic.id)
                output.append(.unsubscribed(topic: topic.id))
            }
        case .publish(let publications):
            publishing.append(publications, to: &output[.main])
            for publication in publications {
                connections[0].expected.append(
                    .publication(ticket: publication.ticket, channel: publication.channel))
            }
        case .read(let requests):
            for request in requests {
                send(
                    pages.begin(request), .page(ticket: request.ticket), request.channel,
                    into: &output)
            }
        case .ping: ping(isAsked: true, on: .main, into: &output)
        case .close:
            phase = .closing
            for index in connections.indices {
                RESPEncoder.command(["QUIT"], to: &output[Lane(index: index)])
            }
        }
        turn(at: now, into: &output)
    }

    private mutating func lookAt(
        _ topic: Topic, _ expected: StreamReply, into output: inout SessionOutput
    ) {
        send([["XINFO", "STREAM", StreamRead.key]], expected, topic, into: &output)
    }

    /// Writes commands, in which the stream's key is filled in.
    private mutating func send(
        _ commands: [[String]], _ expected: StreamReply, _ channel: Topic? = nil,
        on lane: Lane = .main, into output: inout SessionOutput
    ) {
        for words in commands {
            RESPEncoder.command(
                words.map { word in
                    word == StreamRead.key ? channel?.name.bytes ?? [] : Array(word.utf8)
                }, to: &output[lane])
            connections[lane.index].expected.append(expected)
        }
    }

    private mutating func ping(isAsked: Bool, on lane: Lane, into output: inout SessionOutput) {
        send([["PING"]], .pong(isAsked: isAsked), on: lane, into: &output)
    }

    // MARK: What comes

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard connections.indices.contains(lane.index) else { return }
        connections[lane.index].heartbeat.heard()
        while phase != .closing {
            guard let value = try connections[lane.index].decoder.next(&buffer)?.plain else {
                return turn(at: now, into: &output)
            }
            // Nothing is subscribed that could be pushed; what a server tells unasked is none of ours.
            if case .push = value { continue }
            if connections[lane.index].isGreeted {
                try receiveReply(value, on: lane, at: now, into: &output)
            } else {
                let outcome = try connections[lane.index].handshake.received(
                    value, lane, into: &output)
                settle(outcome, on: lane, into: &output)
            }
        }
        buffer.consume(upTo: buffer.bytes.count)
    }

    private mutating func receiveReply(
        _ reply: RESPValue, on lane: Lane, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard let expected = connections[lane.index].expected.removeFirst() else {
            throw ProtocolError(unexpected: reply, to: nil)
        }
        if let text = reply.errorText {
            return receiveError(Rejection(redis: text), reply, expected, at: now, into: &output)
        }
        switch (expected, reply) {
        case (.publication(let ticket, let channel), .bulkString(let id)):
            guard let position = Position(streamID: id) else { throw expected.fault(reply) }
            output.append(published: ticket, receivers: nil, position: position)
            if let words = publishing.trim(channel, after: position, at: now) {
                send([words], .ignored, Topic(id: -1, name: .channel(channel)), into: &output)
            }
        case (.page(let ticket), _): try receivePage(ticket, reply, at: now, into: &output)
        case (.tail(let topic), _):
            confirm(topic, at: try StreamInformation(reply).lastGenerated, now, into: &output)
        case (.look(let topic), _):
            note(try StreamInformation(reply).lastGenerated, of: topic, into: &output)
        case (.bells, _):
            // It was another stream that was forbidden.
            canWait = true
            for topic in try bells.rang(reply, at: now) { output.append(.rang(topic: topic)) }
        case (.waiterID, .integer(let number)): waiterID = number
        case (.wake, .integer(let count)):
            isWaking = false
            // It was awake already, or has not begun to wait: its answer, or a moment, tells.
            wakeAgainAt = count == 0 ? now + .milliseconds(1) : nil
        case (.pong(let isAsked), .simpleString): if isAsked { output.append(.answered) }
        case (.slots, _): slots = reply
        case (.ignored, _): break
        default: throw expected.fault(reply)
        }
    }

    private mutating func receivePage(
        _ ticket: UInt64, _ reply: RESPValue, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard let (read, progress) = try pages.receive(reply, ticket) else { return }
        switch progress {
        case .wait: break
        case .send(let commands):
            send(commands, .page(ticket: ticket), read.request.channel, into: &output)
        case .done(let page, _):
            output.append(.page(page))
            // Whoever reads without an end is who the bell is for.
            if case .forwards(let request) = read.request.kind, request.end == nil, page.isEnd {
                bells.read(read.request.channel.id, upTo: page.next.position, now: now)
            }
        }
    }

    // MARK: Refusals

    private mutating func receiveError(
        _ rejection: Rejection, _ reply: RESPValue, _ expected: StreamReply, at now: Instant,
        into output: inout SessionOutput
    ) {
        let isUnknown = rejection.message.containsBytes("no such key")
        switch expected {
        case .publication(let ticket, _):
            output.append(.publishRefused(ticket: ticket, rejection.ofPublishing))
            // The name may lead to the master by now.
            if rejection.isReadOnly { end(rejection.ofPublishing, into: &output) }
        case .page(let ticket):
            if isUnknown, pages.expectsUnknown(ticket) {
                // An error is an answer here, and decoding cannot fail.
                try? receivePage(ticket, reply, at: now, into: &output)
            } else if let read = pages.remove(ticket) {
                output.append(.pageRefused(ticket: read.request.ticket, rejection))
            }
        case .tail(let topic) where isUnknown: confirm(topic, at: .origin, now, into: &output)
        case .tail(let topic): refuse(topic, rejection, into: &output)
        case .look(let topic) where isUnknown: note(.origin, of: topic, into: &output)
        case .look(let topic): refuse(topic, rejection, into: &output)
        case .bells: refusedToWait(rejection, at: now, into: &output)
        case .waiterID, .wake:
            (isWaking, wakeAgainAt, bells.cannotWake) = (false, nil, true)
        case .pong(let isAsked): if isAsked { output.append(.answered) }
        case .slots: slots = reply
        case .ignored: break
        }
    }

    private mutating func refuse(
        _ topic: Topic, _ rejection: Rejection, into output: inout SessionOutput
    ) {
        // In a cluster it may be the slot's affair alone.
        if rejection.kind == .temporary, !url.isOfCluster { return end(rejection, into: &output) }
        bells.remove(topic.id)
        output.append(.subscriptionRefused(topic: topic.id, rejection))
    }

    /// XREAD fails as a whole for one of its streams, and does not say for which: each is asked.
    private mutating func refusedToWait(
        _ rejection: Rejection, at now: Instant, into output: inout SessionOutput
    ) {
        if rejection.message.hasPrefix("UNBLOCKED") {
            return end(
                Rejection(kind: .unsuitable, message: rejection.message), into: &output)
        }
        bells.refused(callAgainAt: now + .seconds(1))
        if rejection.kind == .permission { canWait = false }
        for topic in bells.topics { lookAt(topic, .look(topic), into: &output) }
    }

    private mutating func end(_ rejection: Rejection, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(rejection))
    }

    // MARK: Bells

    private mutating func confirm(
        _ topic: Topic, at position: Position, _ now: Instant, into output: inout SessionOutput
    ) {
        bells.add(topic, at: position, now: now)
        if nextSweep == nil { nextSweep = now + sweepInterval }
        output.append(.subscribed(topic: topic.id, resumedAt: position))
    }

    private mutating func note(
        _ position: Position, of topic: Topic, into output: inout SessionOutput
    ) {
        if bells.noted(position, of: topic.id) { output.append(.rang(topic: topic.id)) }
    }

    /// XREAD waits, and does not know of all streams.
    private var isDeaf: Bool { bells.isWaiting && bells.isBlocked && bells.isStale }

    private var sweepInterval: Duration {
        canWait ? RedisStreamSession.sweepInterval : RedisStreamSession.shortSweep
    }

    /// Calls XREAD when it is time, and wakes one that does not know of all streams.
    private mutating func turn(at now: Instant, into output: inout SessionOutput) {
        guard phase == .open else { return }
        for words in bells.call(at: now) {
            RESPEncoder.command(words, to: &output[.bells])
            connections[1].expected.append(.bells)
        }
        guard isDeaf, !isWaking, !bells.cannotWake, let waiterID,
            wakeAgainAt.map({ now >= $0 }) ?? true
        else { return }
        (isWaking, wakeAgainAt) = (true, nil)
        send([["CLIENT", "UNBLOCK", String(waiterID)]], .wake, into: &output)
    }

    // MARK: Time

    var deadline: Instant? {
        guard phase == .open, let openedAt else { return nil }
        var next = nextSweep
        if !bells.isWaiting { next = next.orEarlier(bells.nextCall) }
        if isDeaf { next = next.orEarlier(wakeAgainAt) }
        for connection in connections {
            next = next.orEarlier(connection.heartbeat.deadline ?? openedAt)
        }
        return next
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard phase == .open else { return }
        for index in connections.indices {
            if connections[index].heartbeat.deadline == nil {
                connections[index].heartbeat.start(at: now)
            }
            switch connections[index].heartbeat.timeReached(now) {
            case .wait: break
            case .ask: ping(isAsked: false, on: Lane(index: index), into: &output)
            case .dead:
                throw ProtocolError(
                    silence: "the server is silent: no answer to PING for \(options.pingInterval)")
            }
        }
        if let due = nextSweep, now >= due {
            nextSweep = bells.isEmpty ? nil : now + sweepInterval
            for topic in bells.topics { lookAt(topic, .look(topic), into: &output) }
        }
        turn(at: now, into: &output)
    }

    mutating func wrote(on lane: Lane, at now: Instant) {
        guard connections.indices.contains(lane.index) else { return }
        connections[lane.index].heartbeat.heard()
    }

    // MARK: In a cluster

    /// What the login has found out of the other nodes.
    var neighbours: RedisNeighbours? { connections.first?.handshake.neighbours }

    mutating func askForSlots(into output: inout SessionOutput) {
        send([["CLUSTER", "SLOTS"]], .slots, into: &output)
    }

    /// Takes the answer to it, where it has come.
    mutating func takeSlots() -> RESPValue? {
        slots.take()
    }
}
