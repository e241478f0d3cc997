import BroadcasterWire

/// The connections of a session, by their lanes, and by the brokers that they lead to.
struct ConnectionTable: Sendable {
    private var connections: [Lane: KafkaConnection] = [:]
    private var lastLane = 0
    /// Brokers that could not be reached, or that ended a connection: when to try them again.
    private var absent: [Int32: (failures: Int, until: Instant, reason: String)] = [:]

    subscript(lane: Lane) -> KafkaConnection? {
        get { connections[lane] }
        set { connections[lane] = newValue }
    }

    var lanes: [Lane] { connections.keys.sorted { $0.index < $1.index } }
    var isEmpty: Bool { connections.isEmpty }

    /// True if one has been greeted by its broker.
    var hasGreeted: Bool { connections.values.contains(where: \.isGreeted) }

    /// A lane that no connection had before: a number is not used again, so that none is asked for while it is closed.
    mutating func newLane() -> Lane {
        lastLane += 1
        return Lane(index: lastLane)
    }

    mutating func remove(_ lane: Lane) -> KafkaConnection? {
        connections.removeValue(forKey: lane)
    }

    /// The lane to a broker, open or on its way.
    func lane(to broker: Int32, for purpose: KafkaConnection.Purpose) -> Lane? {
        connections.values.first { $0.broker == broker && $0.purpose == purpose }?.lane
    }

    /// The lane for a request that any broker answers: the one with the fewest requests before it.
    func anyLane(at now: Instant) -> Lane? {
        connections.values.filter { $0.purpose == .commands && $0.isUsable(at: now) }
            .min { ($0.sentCount, $0.lane.index) < ($1.sentCount, $1.lane.index) }?.lane
    }

    /// True if a connection is on its way, or in its handshake.
    var hasOthers: Bool { connections.values.contains { !$0.isGreeted } }

    /// True if a password is being hashed for one of them.
    var hasWork: Bool { connections.values.contains(where: \.hasWork) }

    /// True if a connection for commands is there or on its way.
    var hasCommands: Bool { connections.values.contains { $0.purpose == .commands } }

    /// True if `lane` exists and can be used now.
    func isUsable(_ lane: Lane, at now: Instant) -> Bool {
        connections[lane]?.isUsable(at: now) ?? false
    }

    // MARK: Brokers that are away

    mutating func failed(_ broker: Int32, _ reason: String, at now: Instant) {
        let failures = (absent[broker]?.failures ?? 0) + 1
        let delay = min(.milliseconds(50) * (1 << min(failures, 6)), .seconds(2))
        absent[broker] = (failures, now + delay, reason)
    }

    mutating func succeeded(_ broker: Int32) {
        absent[broker] = nil
    }

    func mayDial(_ broker: Int32, at now: Instant, _ wake: inout WakeTime) -> Bool {
        absent[broker].map { wake.isReached($0.until, at: now) } ?? true
    }

    /// The reason for which a broker is not there, in words.
    func absence(of broker: Int32) -> String? {
        absent[broker]?.reason
    }

    /// Forgets brokers that the metadata no longer names. The result is the lanes whose broker is another one now.
    mutating func follow(_ cluster: ClusterMap) -> [Lane] {
        absent = absent.filter { cluster.brokers[$0.key] != nil }
        return connections.values.compactMap { connection in
            guard let broker = connection.broker, let endpoint = cluster.brokers[broker],
                endpoint != connection.endpoint
            else { return nil }
            return connection.lane
        }
    }

    var deadline: Instant? { connections.values.compactMap(\.deadline).min() }
}
