import BroadcasterWire

/// One conversation with RabbitMQ: a connection that publishes, and one that receives as soon as somebody subscribes.
///
/// A connection that is lost is made again at once while the other goes on; one that cannot be, or is lost again
/// soon, ends the session, and the core goes on with its waits.
struct RabbitMQSession: Session {
    private enum Phase: Hashable, Sendable {
        /// Leads to: open, closing.
        case greeting
        /// Leads to: closing.
        case open
        /// We have said goodbye, or the server does not want us: what still comes does not matter.
        case closing
    }

    /// A connection that holds for less than this is not made again here.
    private static let steady: Duration = .seconds(5)

    private var url: RabbitMQURL
    private let options: CommonOptions
    private var phase = Phase.greeting
    private var publisher: RabbitMQPublisher?
    private var subscriber: RabbitMQSubscriber?
    /// Topics that wait for a connection that receives.
    private var waiting: [Topic] = []
    /// The callers of `ping` that wait for a connection that publishes.
    private var waitingCallers = 0
    /// The lanes that are wanted, from when they are asked for.
    private var publisherLane = Lane.main
    private var subscriberLane: Lane?
    private var nextLane = Lane.reception.index
    private var counter: ChannelCounter
    /// The moment at which a connection was last lost.
    private var lastLoss: Instant?

    /// - Parameter nonce: for the name of this publisher.
    init(_ url: RabbitMQURL, options: CommonOptions, nonce: String) {
        self.url = url
        self.options = options
        counter = ChannelCounter(name: String(nonce.prefix(12)))
    }

    // MARK: Lanes

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        url = url.using(password: peer.password)
        if lane == publisherLane {
            publisher = RabbitMQPublisher(
                url, options: options, lane: lane, counter: counter, at: now, into: &output)
        } else if lane == subscriberLane {
            var new = RabbitMQSubscriber(url, options: options, lane: lane, at: now, into: &output)
            new.subscribe(waiting, into: &output)
            waiting = []
            subscriber = new
        }
    }

    private mutating func newLane() -> Lane {
        defer { nextLane += 1 }
        return Lane(index: nextLane)
    }

    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        guard phase == .open, leave(lane, failure.description, at: now, into: &output) else {
            return .ended
        }
        return .survived
    }

    /// Goes on without a lane, by another one. False if there is no use in that.
    private mutating func leave(
        _ lane: Lane, _ reason: String, at now: Instant, into output: inout SessionOutput
    ) -> Bool {
        let isFirst = lastLoss.map { now - $0 >= RabbitMQSession.steady } ?? true
        lastLoss = now
        if lane == subscriberLane, isFirst, let old = subscriber, old.connection.isOpen {
            leaveSubscriber(old, reason, into: &output)
            return true
        }
        if lane == publisherLane, isFirst, let old = publisher, old.isOpen, subscriber != nil {
            leavePublisher(old, reason, into: &output)
            return true
        }
        // One that has been left already.
        return lane != subscriberLane && lane != publisherLane
    }

    private mutating func leaveSubscriber(
        _ old: RabbitMQSubscriber, _ reason: String, into output: inout SessionOutput
    ) {
        var old = old
        let topics = old.takeTopics()
        (subscriber, subscriberLane) = (nil, nil)
        waiting = topics.unconfirmed
        for topic in topics.left { output.append(.unsubscribed(topic: topic)) }
        if !topics.interrupted.isEmpty {
            output.append(.interrupted(topics: topics.interrupted, reason))
        }
        if !waiting.isEmpty { connectSubscriber(into: &output) }
    }

    private mutating func leavePublisher(
        _ old: RabbitMQPublisher, _ reason: String, into output: inout SessionOutput
    ) {
        var old = old
        for ticket in old.takeUnsettled() {
            output.append(.publishLost(ticket: ticket, reason))
        }
        waitingCallers += old.callers
        counter = old.numbers
        publisher = nil
        publisherLane = newLane()
        output.connect(publisherLane)
    }

    private mutating func connectSubscriber(into output: inout SessionOutput) {
        let lane = newLane()
        subscriberLane = lane
        output.connect(lane)
    }

    // MARK: Commands

    var intake: PublishIntake { phase == .open ? publisher?.intake ?? .none : .none }

    var hold: String? { publisher?.hold }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let topics): subscribe(topics, into: &output)
        case .unsubscribe(let topics):
            if subscriber == nil {
                for topic in topics { output.append(.unsubscribed(topic: topic.id)) }
            }
            subscriber?.unsubscribe(topics, into: &output)
        case .publish(let publications):
            if publisher == nil {
                RabbitMQPublisher.refuse(publications.map(\.ticket), nil, into: &output)
            }
            publisher?.publish(publications, into: &output)
        case .read: break  // Comes to backends that keep a history.
        case .ping:
            if publisher == nil { waitingCallers += 1 }
            publisher?.ping(isAsked: true, into: &output)
        case .close: close(into: &output)
        }
    }

    private mutating func subscribe(_ topics: [Topic], into output: inout SessionOutput) {
        guard subscriber == nil else {
            subscriber?.subscribe(topics, into: &output)
            return
        }
        waiting += topics
        if subscriberLane == nil { connectSubscriber(into: &output) }
    }

    /// Says goodbye; the core ends the connections behind it, and then the server does.
    private mutating func close(into output: inout SessionOutput) {
        phase = .closing
        if let subscriber { subscriber.connection.close(into: &output[subscriber.lane]) }
        publisher?.close(into: &output)
    }

    // MARK: What comes

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        if lane == subscriberLane {
            try receiveForSubscriber(&buffer, at: now, into: &output)
        } else if lane == publisherLane {
            try receiveForPublisher(&buffer, at: now, into: &output)
        }
        let isGone = lane != subscriberLane && lane != publisherLane
        if phase == .closing || isGone { buffer.consume(upTo: buffer.bytes.count) }
    }

    private mutating func receiveForPublisher(
        _ buffer: inout ReceiveBuffer, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        let lane = publisherLane
        publisher?.connection.heard(at: now)
        while phase != .closing, lane == publisherLane,
            let incoming = try publisher?.connection.next(&buffer, at: now, into: &output[lane])
        {
            switch incoming {
            case .rejected(let rejection): end(rejection, into: &output)
            case .closed(let close): try closed(lane, close, at: now, into: &output)
            default:
                if try publisher?.received(incoming, at: now, into: &output) == true {
                    publisherIsOpen(into: &output)
                }
            }
        }
    }

    private mutating func publisherIsOpen(into output: inout SessionOutput) {
        for _ in 0..<waitingCallers { publisher?.ping(isAsked: true, into: &output) }
        waitingCallers = 0
        guard phase == .greeting, let handshake = publisher?.connection.handshake else { return }
        phase = .open
        output.append(.ready(ServerIdentity(handshake)))
    }

    private mutating func receiveForSubscriber(
        _ buffer: inout ReceiveBuffer, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard let lane = subscriberLane else { return }
        subscriber?.connection.heard(at: now)
        while phase != .closing, lane == subscriberLane {
            subscriber?.takeRuns(from: &buffer, into: &output)
            guard
                let incoming = try subscriber?.connection.next(
                    &buffer, at: now, into: &output[lane])
            else { return }
            switch incoming {
            case .opened: subscriber?.opened(into: &output)
            case .rejected(let rejection): end(rejection, into: &output)
            case .closed(let close): try closed(lane, close, at: now, into: &output)
            // A connection that has never published is not blocked, and others need no answer.
            case .blocked, .unblocked, .heartbeat: break
            case .content(let content, _): try subscriber?.delivered(content, into: &output)
            case .method(let method, let channel):
                let outcome = try subscriber?.received(method, on: channel, into: &output)
                follow(outcome ?? .goOn, lane, at: now, into: &output)
            }
        }
    }

    private mutating func follow(
        _ outcome: RabbitMQSubscriber.Outcome, _ lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) {
        switch outcome {
        case .goOn: break
        case .ended(let reason):
            subscriber?.connection.close(into: &output[lane])
            output.finish(lane)
            if !leave(lane, reason, at: now, into: &output) {
                end(Rejection(kind: .temporary, message: reason), into: &output)
            }
        case .refused(let rejection):
            guard rejection.kind != .temporary, let topics = subscriber?.takeTopics() else {
                return end(rejection, into: &output)
            }
            output.finish(lane)
            (subscriber, subscriberLane) = (nil, nil)
            // It says nothing of a channel, and ends no subscription that another connection had.
            let refusal = Rejection(kind: .unsuitable, message: rejection.message)
            for topic in topics.unconfirmed {
                output.append(.subscriptionRefused(topic: topic.id, refusal))
            }
        }
    }

    /// The server ends a connection.
    private mutating func closed(
        _ lane: Lane, _ close: AMQPClose, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        if close.blamesUs {
            throw ProtocolError("the server blames us: \(Rejection(close).message)")
        }
        let rejection = Rejection(close)
        guard rejection.kind == .temporary else { return end(rejection, into: &output) }
        AMQPMethod.connection(.closeOk).append(on: 0, to: &output[lane])
        output.finish(lane)
        if !leave(lane, rejection.message, at: now, into: &output) { end(rejection, into: &output) }
    }

    private mutating func end(_ rejection: Rejection, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(rejection))
    }

    // MARK: Time

    mutating func wrote(on lane: Lane, at now: Instant) {
        if lane == publisherLane { publisher?.connection.heard(at: now) }
    }

    var deadline: Instant? {
        guard phase != .closing else { return nil }
        return [publisher?.deadline, subscriber?.connection.deadline].compactMap { $0 }.min()
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard phase != .closing else { return }
        try publisher?.timeReached(now, into: &output)
        try subscriber?.timeReached(now, into: &output)
    }
}
