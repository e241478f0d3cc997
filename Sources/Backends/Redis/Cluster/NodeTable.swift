import BroadcasterWire

/// The lanes of a session, and the nodes that they lead to.
struct NodeTable: Sendable {
    private var entries: [Lane: ClusterLane] = [:]
    private var byEndpoint: [Endpoint: Lane] = [:]
    var absent = AbsentNodes()
    private var lastLane = 0
    private var turn = 0

    subscript(lane: Lane) -> ClusterLane? {
        get { entries[lane] }
        _modify { yield &entries[lane] }
    }

    var lanes: [Lane] { entries.keys.sorted { $0.index < $1.index } }

    var hasGreeted: Bool { entries.values.contains(where: \.isGreeted) }
    var greetedCount: Int { entries.values.count(where: \.isGreeted) }

    func lane(to endpoint: Endpoint) -> Lane? { byEndpoint[endpoint] }

    /// A lane that no connection had before: a number is not used again, so that none is asked for while it is closed.
    mutating func newLane() -> Lane {
        lastLane += 1
        return Lane(index: lastLane)
    }

    mutating func add(_ node: ClusterLane) {
        entries[node.lane] = node
        byEndpoint[node.endpoint] = node.lane
    }

    mutating func remove(_ lane: Lane) -> ClusterLane? {
        guard let node = entries.removeValue(forKey: lane) else { return nil }
        if byEndpoint[node.endpoint] == lane { byEndpoint[node.endpoint] = nil }
        return node
    }

    /// A lane for a request that any node answers, each in its turn.
    mutating func anyLane() -> Lane? {
        let usable = lanes.filter { entries[$0]?.isGreeted == true }
        guard !usable.isEmpty else { return nil }
        turn += 1
        return usable[turn % usable.count]
    }

    var deadline: Instant? {
        entries.values.compactMap(\.heartbeat.deadline).min()
    }
}

extension ClusterLane {
    /// The sign of life that is due.
    mutating func beat(at now: Instant) -> Heartbeat.Verdict {
        isGreeted ? heartbeat.timeReached(now) : notGreeted(now)
    }

    /// A lane on its way is the core's to give up; one that is connected and is not answered in its login is given up here.
    private mutating func notGreeted(_ now: Instant) -> Heartbeat.Verdict {
        let verdict = heartbeat.timeReached(now)
        return verdict == .ask ? .wait : verdict
    }
}
