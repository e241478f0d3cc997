import BroadcasterWire

/// One conversation with a Kafka cluster, over connections to those of its brokers that lead what is read or written.
///
/// It begins at a server of the URL, learns the cluster from it, and is ready. From then on it lives as long as any broker
/// answers: `proceed` looks after each input at all that is wanted and not under way, and asks for it where the
/// metadata says. So a leader that moves, a broker that goes and a topic that is not there yet are one code.
struct KafkaSession: Session {
    enum Phase: Hashable {
        /// Waiting for the cluster's metadata.
        case greeting
        /// The server of the URL is none of the addresses that brokers advertise: waiting for one of those.
        case reaching
        case open
        case closing
    }

    let url: KafkaURL
    let options: CommonOptions
    let nonce: String
    /// Milliseconds since 1970 at `origin`, the moment of the first connection.
    let wallTime: Int64
    var origin: Instant?
    var phase = Phase.greeting
    var mechanism: KafkaURL.Mechanism
    var password: String?
    var cluster = ClusterMap()
    var connections = ConnectionTable()
    var metadata = MetadataSchedule()
    var watches: WatchSet
    var jobs: ReadJobs
    var epochs = EpochTable()
    var producer: Producer
    /// Brokers that were lost since the metadata was last asked for: they may have other topics when they are back, and
    /// Tansu accepts, and drops, a message for one that it has not.
    var unconfirmed: Set<Int32> = []
    var wake = WakeTime()
    /// Brokers that were tried in vain while there is no connection at all, in words.
    var failures: [String] = []
    /// Pings of the core that no connection took yet.
    var pings = 0

    /// - Parameters:
    ///   - nonce: for the logins.
    ///   - time: milliseconds since 1970, now.
    init(_ url: KafkaURL, options: CommonOptions, nonce: String, time: Int64) {
        self.url = url
        self.options = options
        self.nonce = nonce
        wallTime = time
        mechanism = url.mechanism ?? .scramSHA512
        let reading = ReadOptions(
            isolation: url.isolation, messageLimit: options.maximumMessageSize,
            longestWait: url.longestWait)
        watches = WatchSet(reading)
        jobs = ReadJobs(reading)
        producer = Producer(
            ProduceOptions(
                partition: url.partition, acks: url.acks, isIdempotent: url.isIdempotent,
                patience: options.publishTimeout))
    }

    // MARK: Lanes

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        if origin == nil { origin = now }
        password = peer.password ?? password
        if lane == .main {
            connections[lane] = connection(lane, to: peer.endpoint, for: .commands, nil, at: now)
        }
        connections[lane]?.opened(at: now, into: &output)
    }

    func connection(
        _ lane: Lane, to endpoint: Endpoint, for purpose: KafkaConnection.Purpose,
        _ broker: Int32?, at now: Instant
    ) -> KafkaConnection {
        let login = url.login(by: mechanism, password: password)
        return KafkaConnection(
            lane, to: endpoint, for: purpose, broker: broker,
            KafkaHandshake(login, nonce: "\(nonce)\(lane.index)"), client: url.clientID,
            signs: KafkaConnection.SignsOfLife(interval: options.pingInterval), at: now)
    }

    /// The lane to a broker, where it can be used now. One that is not there is asked for.
    mutating func lane(
        to broker: Int32, for purpose: KafkaConnection.Purpose, at now: Instant,
        into output: inout SessionOutput
    ) -> Lane? {
        if let lane = connections.lane(to: broker, for: purpose) {
            return connections.isUsable(lane, at: now) ? lane : nil
        }
        guard let endpoint = cluster.brokers[broker] else {
            metadata.want()
            return nil
        }
        guard connections.mayDial(broker, at: now, &wake) else { return nil }
        let lane = connections.newLane()
        connections[lane] = connection(lane, to: endpoint, for: purpose, broker, at: now)
        output.connect(lane, to: endpoint)
        return nil
    }

    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        guard phase != .closing else { return .ended }
        guard let connection = connections.remove(lane) else {
            return connections.isEmpty ? .ended : .survived
        }
        if phase == .greeting {
            if connections.isEmpty, let hint = connection.handshakeHint {
                // Another server of the list may do.
                end(Rejection(kind: .unsuitable, message: "\(failure): \(hint)"), into: &output)
                return .survived
            }
            return connections.isEmpty ? .ended : .survived
        }
        return drop(connection, failure.description, at: now, into: &output)
    }

    /// Goes on without a connection that is gone, or fails: others carry on what it was asked.
    mutating func drop(
        _ connection: KafkaConnection, _ reason: String, at now: Instant,
        into output: inout SessionOutput
    ) -> LaneLoss {
        var connection = connection
        for request in connection.takeSent() {
            abandon(request, reason, at: now, into: &output)
        }
        metadata.want()
        if let broker = connection.broker {
            let words = "broker \(broker) at \(connection.endpoint): \(reason)"
            if connections.absence(of: broker) == nil, phase == .open {
                output.append(.warned(words))
            }
            connections.failed(broker, words, at: now)
            unconfirmed.insert(broker)
            if phase == .reaching { failures.append(words) }
        }
        if phase == .reaching {
            return reachNext(at: now, into: &output)
        }
        if !connections.hasGreeted, !connections.hasOthers, !dialOthers(at: now, into: &output) {
            return .ended
        }
        proceed(at: now, into: &output)
        return .survived
    }

    mutating func abandon(
        _ request: KafkaRequest, _ reason: String, at now: Instant,
        into output: inout SessionOutput
    ) {
        switch request {
        case .metadata: metadata.lost()
        case .producerId: producer.lostIdentityRequest()
        case .listOffsets(let wishes, .watch): watches.lost(wishes)
        case .listOffsets(let wishes, .job(let job)): jobs.lost(job, wishes.map(\.index))
        case .listOffsets(let wishes, .producer): producer.places.lost(wishes)
        case .epochEnds(let wishes): epochs.lost(wishes)
        case .fetch(let wishes, _, let job):
            if let job { jobs.lost(job, wishes.map(\.index)) }
        case .produce(let batches, _, _):
            producer.lost(batches, reason, at: now, into: &output)
        case .apiVersions(let isAsked): if isAsked { pings += 1 }
        case .saslHandshake, .saslAuthenticate: break
        }
    }

    /// No connection is left: tries brokers that were not tried since. False where there are none.
    mutating func dialOthers(at now: Instant, into output: inout SessionOutput) -> Bool {
        var hasDialed = false
        for broker in cluster.brokers.keys.sorted() where connections.absence(of: broker) == nil {
            _ = lane(to: broker, for: .commands, at: now, into: &output)
            hasDialed = true
        }
        return hasDialed
    }

    // MARK: Commands

    var intake: PublishIntake {
        phase == .open && connections.hasGreeted ? producer.intake : .none
    }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let topics):
            watches.add(topics)
            watches.follow(cluster, into: &output)
            metadata.wantNow()
        case .unsubscribe(let topics):
            for topic in topics {
                watches.remove(topic)
                forget(topic.name.text)
                output.append(.unsubscribed(topic: topic.id))
            }
        case .publish(let publications):
            producer.add(publications)
            if publications.contains(where: { !cluster.knows($0.channel) }) { metadata.wantNow() }
        case .read(let requests):
            for request in requests { jobs.add(request, time: time(at: now)) }
            if requests.contains(where: { !cluster.knows($0.channel.name.text) }) {
                metadata.wantNow()
            }
        case .ping: pings += 1
        case .close:
            phase = .closing
            for lane in connections.lanes { output.finish(lane) }
            return
        }
        proceed(at: now, into: &output)
    }

    mutating func forget(_ topic: String) {
        epochs.forget(topic)
        if !watches.contains(topic), !producer.contains(topic) { cluster.forget(topic) }
    }

    // MARK: What comes

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        connections[lane]?.heard(at: now)
        while phase != .closing, connections[lane] != nil,
            let frame = try nextFrame(buffer, lane)
        {
            let bytes = buffer.bytes
            buffer.consume(upTo: frame.upperBound)
            try receive(bytes, frame, on: lane, at: now, into: &output)
        }
        if phase == .closing || connections[lane] == nil {
            return buffer.consume(upTo: buffer.bytes.count)
        }
        proceed(at: now, into: &output)
    }

    /// The most bytes of an answer: a fetch with a message of the longest size, and some more.
    var longestFrame: Int { options.maximumMessageSize + (1 << 20) + (1 << 19) }

    /// The next whole frame, without its size.
    func nextFrame(
        _ buffer: ReceiveBuffer, _ lane: Lane
    ) throws(ProtocolError) -> Range<Int>? {
        guard buffer.count >= 4 else { return nil }
        var reader = FrameReader(
            buffer.bytes[buffer.start..<buffer.start + 4], reading: "Kafka frame")
        let size = Int(try reader.int32())
        guard size >= 4, size <= longestFrame else {
            throw ProtocolError(
                reading: "Kafka frame", expected: "a size from 4 to \(longestFrame)",
                found: "\(size)\(KafkaSession.meaning(ofSize: size))")
        }
        guard buffer.count >= 4 + size else { return nil }
        return buffer.start + 4..<buffer.start + 4 + size
    }

    /// The first bytes of what other servers say.
    static func meaning(ofSize size: Int) -> String {
        switch size >> 8 {
        case 0x150300...0x150304: " (a TLS alert: this port wants kafkas://)"
        case 0x485454: " (HTTP)"
        default: ""
        }
    }

    // MARK: Time

    mutating func wrote(on lane: Lane, at now: Instant) {
        connections[lane]?.heard(at: now)
    }

    var deadline: Instant? {
        if connections.hasWork { return origin }
        guard phase != .closing else { return nil }
        return [wake.instant, connections.deadline].compactMap { $0 }.min()
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        for lane in connections.lanes {
            if connections[lane]?.hasWork == true {
                connections[lane]?.work(at: now, into: &output)
                continue
            }
            guard connections[lane]?.isOverdue(at: now) == true else {
                connections[lane]?.beat(at: now, into: &output)
                continue
            }
            guard let connection = connections.remove(lane) else { continue }
            output.finish(lane)
            if phase != .open
                || drop(
                    connection, "the broker has not answered in time", at: now, into: &output)
                    == .ended
            {
                throw ProtocolError(
                    silence: "the broker at \(connection.endpoint) has not answered in time")
            }
        }
        proceed(at: now, into: &output)
    }
}
