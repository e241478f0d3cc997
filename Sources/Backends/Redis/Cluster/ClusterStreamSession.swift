import BroadcasterWire

/// One conversation with a Redis cluster whose streams are the channels' histories: each lives on the node of its slot.
///
/// With each node that is needed there is the conversation that a server alone would have. This one leads what is asked to the
/// node that the table names, and takes over what comes. Where a node says that a slot is elsewhere, or dies, what it was
/// asked is asked of another: readings go on where they stood, so a slot that moves is no gap.
struct ClusterStreamSession: Session {
    enum Phase: Hashable {
        /// Waiting for the first node's login, which brings the table.
        case greeting
        case open
        case closing
    }

    let url: RedisURL
    let retention: StreamRetention
    let options: CommonOptions
    var phase = Phase.greeting
    var table = SlotTable()
    var nodes = StreamNodes()
    var channels = ShardChannels()
    var publishing = ShardPublishing()
    var reads = ShardReads()
    var refresh = RefreshSchedule()
    var pauses = SlotPauses()
    /// The reason for which no node is left, where that is so.
    var end: String?
    private var retryAt: Instant?

    /// The time between two attempts for what waits.
    private static let retryInterval: Duration = .milliseconds(50)

    init(_ url: RedisURL, _ retention: StreamRetention, options: CommonOptions) {
        self.url = url.at(.node)
        self.retention = retention
        self.options = options
    }

    // MARK: Lanes

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        if lane == .main { add(0, at: peer.endpoint) }
        let (number, inner) = StreamNode.place(of: lane)
        if nodes[number]?.loginDue == nil {
            nodes[number]?.loginDue = now + options.connectTimeout
        }
        input(number, at: now, into: &output) { session, output in
            session.opened(inner, to: peer, at: now, into: &output)
        }
        proceed(at: now, into: &output)
    }

    private mutating func add(_ number: Int, at endpoint: Endpoint) {
        let session = RedisStreamSession(url, retention, options: options)
        nodes.add(StreamNode(number, at: endpoint, session))
    }

    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        let (number, inner) = StreamNode.place(of: lane)
        guard nodes[number] != nil else { return phase == .open ? .survived : .ended }
        var loss = LaneLoss.ended
        input(number, at: now, into: &output) { session, output in
            loss = session.lost(inner, failure, at: now, into: &output)
        }
        if loss == .survived { return .survived }
        guard phase == .open else { return .ended }
        drop(number, failure.description, at: now, into: &output)
        if end != nil { return .ended }
        proceed(at: now, into: &output)
        return .survived
    }

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        let (number, inner) = StreamNode.place(of: lane)
        guard phase != .closing, nodes[number] != nil else {
            return buffer.consume(upTo: buffer.bytes.count)
        }
        let fault = input(number, at: now, into: &output) {
            (session, output) throws(ProtocolError) in
            try session.receive(&buffer, on: inner, at: now, into: &output)
        }
        if let fault {
            buffer.consume(upTo: buffer.bytes.count)
            try fail(number, fault, at: now, into: &output)
        }
        try checkEnd()
        proceed(at: now, into: &output)
    }

    /// Goes on without a node that has broken its protocol, or says nothing.
    private mutating func fail(
        _ number: Int, _ fault: ProtocolError, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        if phase != .open { throw fault }
        drop(number, fault.description, at: now, into: &output)
        if end != nil { throw fault }
    }

    private func checkEnd() throws(ProtocolError) {
        if let end { throw ProtocolError(silence: end) }
    }

    mutating func wrote(on lane: Lane, at now: Instant) {
        let (number, inner) = StreamNode.place(of: lane)
        nodes[number]?.session.wrote(on: inner, at: now)
    }

    // MARK: Commands

    var intake: PublishIntake { phase == .open && !publishing.isFull ? .pipelined : .none }

    var hold: String? {
        publishing.isFull ? "too many messages wait for nodes of the cluster" : nil
    }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let topics): channels.add(topics)
        case .unsubscribe(let topics): leave(topics, at: now, into: &output)
        case .publish(let publications): for one in publications { publishing.add(one) }
        case .read(let requests): for request in requests { reads.add(request, at: now) }
        case .ping:
            if let number = nodes.any() { perform(.ping, by: number, at: now, into: &output) }
        case .close:
            phase = .closing
            for number in nodes.numbers { perform(.close, by: number, at: now, into: &output) }
            return
        }
        proceed(at: now, into: &output)
    }

    private mutating func leave(
        _ topics: [Topic], at now: Instant, into output: inout SessionOutput
    ) {
        for topic in topics {
            let place = channels.remove(topic).map(StreamNode.place)
            if let number = place?.node, nodes[number] != nil {
                perform(.unsubscribe([topic]), by: number, at: now, into: &output)
            } else {
                output.append(.unsubscribed(topic: topic.id))
            }
        }
    }

    private mutating func perform(
        _ command: Command, by number: Int, at now: Instant, into output: inout SessionOutput
    ) {
        input(number, at: now, into: &output) { session, output in
            session.perform(command, at: now, into: &output)
        }
    }

    // MARK: What waits

    /// Leads all that waits to the nodes that the table names, as far as these can be reached now.
    private mutating func proceed(at now: Instant, into output: inout SessionOutput) {
        guard phase == .open else { return }
        if refresh.isDue(at: now), let number = nodes.any() {
            refresh.asked(at: now)
            input(number, at: now, into: &output) { $0.askForSlots(into: &$1) }
        }
        for slot in channels.homelessSlots {
            guard let number = node(of: slot, at: now, into: &output) else {
                let topics = channels.postpone(slot)
                if !topics.isEmpty { output.append(.postponed(topics: topics)) }
                continue
            }
            let topics = channels.take(slot, by: nodes[number]?.outer(.main) ?? .main)
            perform(.subscribe(topics), by: number, at: now, into: &output)
        }
        for slot in publishing.sendableSlots {
            guard let number = node(of: slot, at: now, into: &output) else { continue }
            let sent = publishing.take(slot)
            for one in sent { nodes[number]?.sent[one.publication.ticket] = one }
            perform(.publish(sent.map(\.publication)), by: number, at: now, into: &output)
        }
        for slot in reads.waitingSlots {
            guard let number = node(of: slot, at: now, into: &output) else { continue }
            let requests = reads.take(slot)
            for request in requests { nodes[number]?.reads.insert(request.ticket) }
            perform(.read(requests), by: number, at: now, into: &output)
        }
        let isWaiting = channels.hasHomeless || publishing.hasWaiting || reads.hasWaiting
        retryAt = isWaiting ? retryAt ?? now + ClusterStreamSession.retryInterval : nil
    }

    /// The node of a slot, where it can be asked now. One that is not there is connected.
    private mutating func node(
        of slot: Int, at now: Instant, into output: inout SessionOutput
    ) -> Int? {
        guard !pauses.isPaused(slot, at: now), let owner = table.owner(of: slot) else { return nil }
        if let number = nodes.number(at: owner) {
            return nodes[number]?.isReady == true ? number : nil
        }
        guard nodes.absent.mayDial(owner, at: now) else { return nil }
        let number = nodes.newNumber()
        add(number, at: owner)
        if let lane = nodes[number]?.outer(.main) { output.connect(lane, to: owner) }
        return nil
    }

    // MARK: Time

    var deadline: Instant? {
        guard phase == .open else { return nil }
        return nodes.deadline.orEarlier(retryAt).orEarlier(refresh.deadline)
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard phase == .open else { return }
        for number in nodes.numbers {
            if nodes[number]?.isReady == false, let due = nodes[number]?.loginDue, now >= due {
                let silence = ProtocolError(silence: "the node has not answered the login")
                try fail(number, silence, at: now, into: &output)
            } else if let due = nodes[number]?.session.deadline, now >= due {
                let fault = input(number, at: now, into: &output) {
                    (session, output) throws(ProtocolError) in
                    try session.timeReached(now, into: &output)
                }
                if let fault { try fail(number, fault, at: now, into: &output) }
            }
        }
        try checkEnd()
        expire(at: now, into: &output)
        if let due = retryAt, now >= due {
            retryAt = nil
            refresh.want()
        }
        proceed(at: now, into: &output)
    }

    private static let unreachable = Rejection(
        kind: .temporary, message: "no node could be reached for the channel's slot")

    private mutating func expire(at now: Instant, into output: inout SessionOutput) {
        for publication in publishing.expire(at: now) {
            output.append(
                .publishRefused(
                    ticket: publication.ticket, ClusterStreamSession.unreachable))
        }
        for ticket in reads.expire(at: now) {
            output.append(.pageRefused(ticket: ticket, ClusterStreamSession.unreachable))
        }
    }
}
