import BroadcasterWire

/// How a session begins: with one server, and then with the cluster.
extension KafkaSession {
    /// The metadata of the first answer tells which brokers there are, and whether they can be reached by the addresses
    /// that they advertise.
    mutating func greet(
        _ lane: Lane, at now: Instant, into output: inout SessionOutput
    ) {
        guard let endpoint = connections[lane]?.endpoint else { return }
        guard !cluster.brokers.isEmpty else {
            let text = "\(endpoint) answered, and names no broker of its cluster"
            return end(Rejection(kind: .unsuitable, message: text), into: &output)
        }
        if let broker = cluster.broker(at: endpoint) {
            connections[lane]?.broker = broker
            return open(lane, into: &output)
        }
        phase = .reaching
        for broker in cluster.brokers.keys.sorted().prefix(KafkaSession.mostTried) {
            _ = self.lane(to: broker, for: .commands, at: now, into: &output)
        }
    }

    /// Brokers that are tried before the cluster counts as out of reach.
    static let mostTried = 3

    mutating func reachNext(
        at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        if connections.lanes.contains(where: { connections[$0]?.broker != nil }) {
            return .survived
        }
        let server = connections.lanes.first.flatMap { connections[$0]?.endpoint }
        let words = failures.prefix(KafkaSession.mostTried).joined(separator: "; ")
        let text =
            "\(server.map { "\($0) answered" } ?? "the server answered and left"), but no broker that it advertises can be reached: \(words)"
        end(Rejection(kind: .unsuitable, message: text), into: &output)
        return .survived
    }

    mutating func open(_ lane: Lane, into output: inout SessionOutput) {
        phase = .open
        failures = []
        let tellsEpochs = connections[lane]?.knows(.offsetForLeaderEpoch) == true
        epochs.isAvailable = tellsEpochs
        watches.tellsEpochs = tellsEpochs
        jobs.tellsEpochs = tellsEpochs
        let broker = connections[lane]?.broker.map { "broker \($0)" } ?? "a broker"
        let name = cluster.cluster.map { " of cluster \(Rejection.printable($0))" } ?? ""
        let dialect = connections[lane]?.versions?.summary ?? ""
        output.append(
            .ready(
                ServerIdentity(product: "kafka", version: broker + name, dialect: dialect)))
    }

    mutating func end(_ rejection: Rejection, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(rejection))
    }

    /// Acts upon what the handshake of a lane has come to.
    mutating func settle(
        _ outcome: KafkaHandshake.Outcome?, _ lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) {
        switch outcome {
        case .send, .work, nil: break
        case .rejected(let rejection) where phase == .open:
            guard let connection = connections.remove(lane) else { return }
            output.finish(lane)
            if drop(connection, rejection.message, at: now, into: &output) == .ended {
                end(rejection, into: &output)
            }
        case .rejected(let rejection): end(rejection, into: &output)
        case .others(let mechanisms):
            if let refusal = choose(among: mechanisms, lane, at: now, into: &output) {
                settle(.rejected(refusal), lane, at: now, into: &output)
            }
        case .done:
            if let broker = connections[lane]?.broker { connections.succeeded(broker) }
            if phase == .reaching { open(lane, into: &output) }
        }
    }

    /// The broker has not the mechanism that was named, and ends the connection: another one begins with one that it has.
    /// The result is the refusal where there is none.
    mutating func choose(
        among offered: [String], _ lane: Lane, at now: Instant, into output: inout SessionOutput
    ) -> Rejection? {
        let better: [KafkaURL.Mechanism] =
            [.scramSHA512, .scramSHA256] + (url.security == nil ? [] : [.plain])
        let next = better.first { offered.contains($0.rawValue) && $0 != mechanism }
        guard url.mechanism == nil, phase == .greeting, let next else {
            let list = Rejection.printable(offered.joined(separator: ", "))
            let advice =
                offered.contains("PLAIN") && url.mechanism == nil
                ? "; PLAIN shows the password to the network: sasl_mechanism=PLAIN allows it" : ""
            return Rejection(
                kind: .authentication,
                message: "the broker has \(list) and not \(mechanism.rawValue)\(advice)",
                advice: "")
        }
        mechanism = next
        guard let endpoint = connections.remove(lane)?.endpoint else { return nil }
        output.finish(lane)
        let another = connections.newLane()
        connections[another] = connection(another, to: endpoint, for: .commands, nil, at: now)
        output.connect(another, to: endpoint)
        return nil
    }
}
