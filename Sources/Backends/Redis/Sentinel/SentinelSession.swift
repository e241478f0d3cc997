import BroadcasterWire

/// One conversation behind sentinels: with a sentinel, which ends by a redirection to the master that it names; or with that
/// master, while sentinels are watched.
///
/// At the master it is the session of a single server, which takes no other role, and beside it the lanes to the sentinels.
/// Another master is another session, by a redirection: so a failover is one gap for all, and nothing is left of the old
/// master's world.
struct SentinelSession: Session {
    private let url: SentinelURL
    private let service: any RedisService
    private let directory: SentinelDirectory
    private let nonce: String
    private var inquiry: SentinelInquiry
    /// The session with the master; nil while a sentinel is asked.
    private var master: (any Session)?
    private var watch: SentinelWatch?
    /// It has ended: what still comes does not matter.
    private var isOver = false

    init(
        _ url: SentinelURL, _ service: any RedisService, _ directory: SentinelDirectory,
        nonce: String
    ) {
        self.url = url
        self.service = service
        self.directory = directory
        self.nonce = nonce
        inquiry = SentinelInquiry(about: url.service, url.login)
    }

    // MARK: Lanes

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        if watch?.owns(lane) == true {
            watch?.opened(lane, at: now, into: &output)
        } else if lane == .main, directory.contains(peer.endpoint) {
            inquiry.opened(hasOthers: directory.all.count > 1, at: now, into: &output)
        } else {
            if master == nil { meet(peer.endpoint, at: now) }
            master?.opened(lane, to: peer, at: now, into: &output)
        }
    }

    private mutating func meet(_ endpoint: Endpoint, at now: Instant) {
        let sentinels = directory.all
        let found = FoundMaster(service: url.service, endpoint: endpoint, sentinels: sentinels)
        master = service.makeSession(withMaster: found, nonce: nonce)
        watch = SentinelWatch(sentinels, of: url.service, at: endpoint, url.login, at: now)
    }

    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        if watch?.owns(lane) == true {
            watch?.lost(lane, at: now)
            return .survived
        }
        return master?.lost(lane, failure, at: now, into: &output) ?? .ended
    }

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        if isOver { return buffer.consume(upTo: buffer.bytes.count) }
        if watch?.owns(lane) == true {
            let other = watch?.receive(&buffer, on: lane, at: now, into: &output)
            learn(watch?.takeLearned() ?? [], into: &output)
            if let other { end(.redirected([other]), into: &output) }
        } else if master != nil {
            try master?.receive(&buffer, on: lane, at: now, into: &output)
        } else if let event = inquiry.receive(&buffer) {
            learn(inquiry.others, into: &output)
            end(event, into: &output)
        }
    }

    /// Notes sentinels that others have named: they are asked where those of the URL do not answer.
    private func learn(_ sentinels: [Endpoint], into output: inout SessionOutput) {
        if sentinels.allSatisfy(directory.contains) { return }
        directory.learn(sentinels)
        output.append(.learned(directory.all))
    }

    private mutating func end(_ event: Event, into output: inout SessionOutput) {
        isOver = true
        output.append(event)
    }

    mutating func wrote(on lane: Lane, at now: Instant) {
        if watch?.owns(lane) != true { master?.wrote(on: lane, at: now) }
    }

    // MARK: Commands

    var intake: PublishIntake { isOver ? .none : master?.intake ?? .none }

    var hold: String? { master?.hold }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        if case .close = command { watch?.finish(into: &output) }
        master?.perform(command, at: now, into: &output)
    }

    // MARK: Time

    var deadline: Instant? {
        if isOver { return nil }
        guard let master else { return inquiry.deadline }
        return master.deadline.orEarlier(watch?.deadline)
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        if isOver { return }
        if master == nil {
            if let event = inquiry.timeReached(now) { end(event, into: &output) }
            return
        }
        watch?.timeReached(now, into: &output)
        try master?.timeReached(now, into: &output)
    }
}
