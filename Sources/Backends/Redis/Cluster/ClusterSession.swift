import BroadcasterWire

/// One conversation with a Redis cluster, for sharded PUB/SUB: a channel lives on the node of its slot.
///
/// It begins at a node of the URL, learns from it the master of each slot, and is ready. From then on `proceed` looks after
/// each input at all that waits for a node, and asks the one that the table names; lanes are opened as they are needed. So a
/// slot that moves, a node that dies and a channel that is new are one code. What is lost with a lane are its own channels.
struct ClusterSession: Session {
    enum Phase: Hashable {
        /// Waiting for the first node's login, and for its table.
        case greeting
        case open
        case closing
    }

    let url: RedisURL
    let options: CommonOptions
    var phase = Phase.greeting
    var table = SlotTable()
    var nodes = NodeTable()
    var channels = ShardChannels()
    var publishing = ShardPublishing()
    var messages: MessageReader
    var refresh = RefreshSchedule()
    var pauses = SlotPauses()
    /// The slots whose channels are delivered by another node than the last table says, and on which lane.
    var misplaced: [Int: Lane] = [:]
    /// The moment at which what waits is tried again; nil where nothing does.
    var retryAt: Instant?
    /// The password that was looked up for the last lane.
    private var password: String?

    /// The time between two attempts for what waits.
    private static let retryInterval: Duration = .milliseconds(100)

    init(_ url: RedisURL, options: CommonOptions) {
        self.url = url
        self.options = options
        messages = MessageReader(
            limit: options.maximumMessageSize, passingOver: ClusterSession.nothing, word: "smessage"
        )
    }

    /// No topic of the core's.
    private static let nothing = Topic(id: -1, name: .channel(""))

    // MARK: Lanes

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        password = peer.password ?? password
        if lane == .main { nodes.add(ClusterLane(lane, to: peer.endpoint, options)) }
        var handshake = RedisHandshake(
            url.using(password: password), lane: lane, dialect: .resp3,
            role: RedisRole(answerTimeout: options.answerTimeout))
        let outcome = handshake.start(lane, into: &output)
        nodes[lane]?.handshake = handshake
        nodes[lane]?.heartbeat.start(at: now)
        settle(outcome, on: lane, at: now, into: &output)
    }

    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        drop(lane, failure.description, at: now, into: &output)
    }

    /// Goes on without a lane: its channels have a gap, the others go on.
    mutating func drop(
        _ lane: Lane, _ reason: String, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        guard phase == .open else { return .ended }
        guard var node = nodes.remove(lane) else { return .survived }
        guard nodes.hasGreeted else { return .ended }
        let words = "\(node.endpoint): \(reason)"
        if nodes.absent.failed(node.endpoint, at: now) { output.append(.warned(words)) }
        while let reply = node.expected.removeFirst() {
            switch reply {
            case .publication(let sent):
                publishing.answered(sent.slot)
                output.append(.publishLost(ticket: sent.publication.ticket, words))
            case .slots: refresh.lost()
            case .pong(isAsked: true): pingAny(into: &output)
            case .asking, .fence, .pong: break
            }
        }
        let interrupted = channels.lost(lane)
        if !interrupted.isEmpty {
            output.append(.interrupted(topics: interrupted, "the node at \(words)"))
        }
        refresh.want()
        proceed(at: now, into: &output)
        return .survived
    }

    /// The lane to a node, where it can be used now. One that is not there is asked for.
    mutating func lane(
        to endpoint: Endpoint, at now: Instant, into output: inout SessionOutput
    ) -> Lane? {
        if let lane = nodes.lane(to: endpoint) {
            nodes[lane]?.lastUse = now
            return nodes[lane]?.isGreeted == true ? lane : nil
        }
        guard nodes.absent.mayDial(endpoint, at: now) else { return nil }
        let lane = nodes.newLane()
        nodes.add(ClusterLane(lane, to: endpoint, options))
        output.connect(lane, to: endpoint)
        return nil
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
        case .subscribe(let topics):
            messages.insert(topics)
            channels.add(topics)
        case .unsubscribe(let topics): leave(topics, into: &output)
        case .publish(let publications): for one in publications { publishing.add(one) }
        case .read: break  // Comes to backends that keep a history.
        case .ping: pingAny(into: &output)
        case .close:
            phase = .closing
            for lane in nodes.lanes { output.finish(lane) }
            return
        }
        proceed(at: now, into: &output)
    }

    private mutating func leave(_ topics: [Topic], into output: inout SessionOutput) {
        for topic in topics {
            messages.remove(topic)
            if let lane = channels.remove(topic) {
                let slot = HashSlot.of(topic.name.bytes)
                nodes[lane]?.send(
                    ShardRequest(slot: slot, topics: [topic], isSubscribing: false), into: &output)
            }
            output.append(.unsubscribed(topic: topic.id))
        }
    }

    private mutating func pingAny(into output: inout SessionOutput) {
        guard let lane = nodes.anyLane() else { return }
        nodes[lane]?.ping(isAsked: true, into: &output)
    }

    // MARK: What waits

    /// Channels in one command. They have to share a slot.
    private static let topicsPerCommand = 500

    /// Sends all that waits to the nodes that the table names, as far as these can be reached now.
    mutating func proceed(at now: Instant, into output: inout SessionOutput) {
        guard phase == .open else { return }
        if refresh.isDue(at: now), let lane = nodes.anyLane() {
            refresh.asked(at: now)
            nodes[lane]?.askForSlots(into: &output)
        }
        for slot in channels.homelessSlots { seekHome(slot, at: now, into: &output) }
        for slot in publishing.sendableSlots {
            guard !pauses.isPaused(slot, at: now), let owner = table.owner(of: slot),
                let lane = lane(to: owner, at: now, into: &output)
            else { continue }
            nodes[lane]?.send(publishing.take(slot), into: &output)
        }
        if channels.hasHomeless || publishing.hasWaiting {
            retryAt = retryAt ?? now + ClusterSession.retryInterval
        } else {
            retryAt = nil
        }
    }

    private mutating func seekHome(
        _ slot: Int, at now: Instant, into output: inout SessionOutput
    ) {
        guard !pauses.isPaused(slot, at: now), let owner = table.owner(of: slot),
            let lane = lane(to: owner, at: now, into: &output)
        else {
            // A lane that is on its way is not waited for in silence.
            let topics = channels.postpone(slot)
            if !topics.isEmpty { output.append(.postponed(topics: topics)) }
            return
        }
        let topics = channels.take(slot, by: lane)
        for start in stride(from: 0, to: topics.count, by: ClusterSession.topicsPerCommand) {
            let end = min(start + ClusterSession.topicsPerCommand, topics.count)
            let request = ShardRequest(
                slot: slot, topics: Array(topics[start..<end]), isSubscribing: true)
            nodes[lane]?.send(request, into: &output)
        }
    }

    // MARK: Time

    mutating func wrote(on lane: Lane, at now: Instant) {
        nodes[lane]?.heartbeat.heard()
    }

    var deadline: Instant? {
        guard phase == .open else { return nil }
        return nodes.deadline.orEarlier(retryAt).orEarlier(refresh.deadline)
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard phase == .open else { return }
        for lane in nodes.lanes {
            switch nodes[lane]?.beat(at: now) {
            case .ask: nodes[lane]?.ping(isAsked: false, into: &output)
            case .dead:
                let reason = "silent: no answer to PING for \(options.pingInterval)"
                output.finish(lane)
                guard drop(lane, reason, at: now, into: &output) == .survived else {
                    throw ProtocolError(silence: "the node is \(reason)")
                }
            case .wait, nil: closeIfIdle(lane, at: now, into: &output)
            }
        }
        for publication in publishing.expire(at: now) {
            output.append(
                .publishRefused(
                    ticket: publication.ticket,
                    Rejection(
                        kind: .temporary, message: "no node could be reached for the channel's slot"
                    )))
        }
        if let due = retryAt, now >= due {
            retryAt = nil
            if channels.hasHomeless || publishing.hasWaiting { refresh.want() }
        }
        proceed(at: now, into: &output)
    }

    /// A node without channels and messages is let go after this time: slots move, and lanes would gather.
    private static let longestIdle: Duration = .seconds(60)

    private mutating func closeIfIdle(
        _ lane: Lane, at now: Instant, into output: inout SessionOutput
    ) {
        guard let node = nodes[lane], node.isGreeted, node.expected.first == nil,
            nodes.greetedCount > 1, !channels.isNeeded(lane)
        else { return }
        let since = node.lastUse ?? now
        nodes[lane]?.lastUse = since
        guard now - since >= ClusterSession.longestIdle else { return }
        _ = nodes.remove(lane)
        output.finish(lane)
    }
}
