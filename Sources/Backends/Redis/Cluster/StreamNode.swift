import BroadcasterWire

/// A node of a cluster and the conversation with it, which has two lanes: it publishes and reads on the first, and waits for
/// new entries on the other.
struct StreamNode: Sendable {
    let number: Int
    let endpoint: Endpoint
    var session: RedisStreamSession
    var isReady = false
    /// The moment by which the login must be over; nil before the node is connected.
    var loginDue: Instant?
    /// The messages that it has not answered.
    var sent: [UInt64: ShardPublication] = [:]
    /// The readings that it has not answered.
    var reads: Set<UInt64> = []

    init(_ number: Int, at endpoint: Endpoint, _ session: RedisStreamSession) {
        self.number = number
        self.endpoint = endpoint
        self.session = session
    }

    /// The node's lane, by the name that its own conversation gives it.
    func outer(_ lane: Lane) -> Lane { Lane(index: StreamNode.lanes * number + lane.index) }

    var lanes: [Lane] { [outer(.main), outer(.bells)] }

    private static let lanes = 2

    /// The number of the node that a lane belongs to, and the lane's name in its conversation.
    static func place(of lane: Lane) -> (node: Int, lane: Lane) {
        (lane.index / lanes, Lane(index: lane.index % lanes))
    }
}

/// The nodes that a session talks to.
struct StreamNodes: Sendable {
    private var nodes: [Int: StreamNode] = [:]
    private var byEndpoint: [Endpoint: Int] = [:]
    private var lastNumber = 0
    private var turn = 0
    var absent = AbsentNodes()

    subscript(number: Int) -> StreamNode? {
        get { nodes[number] }
        _modify { yield &nodes[number] }
    }

    var numbers: [Int] { nodes.keys.sorted() }
    var hasReady: Bool { nodes.values.contains(where: \.isReady) }

    func number(at endpoint: Endpoint) -> Int? { byEndpoint[endpoint] }

    /// A number that no node had before: none of its lanes is asked for while it is closed.
    mutating func newNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    mutating func add(_ node: StreamNode) {
        nodes[node.number] = node
        byEndpoint[node.endpoint] = node.number
    }

    mutating func remove(_ number: Int) -> StreamNode? {
        guard let node = nodes.removeValue(forKey: number) else { return nil }
        if byEndpoint[node.endpoint] == number { byEndpoint[node.endpoint] = nil }
        return node
    }

    /// A node for a request that any of them answers, each in its turn.
    mutating func any() -> Int? {
        let ready = numbers.filter { nodes[$0]?.isReady == true }
        guard !ready.isEmpty else { return nil }
        turn += 1
        return ready[turn % ready.count]
    }

    var deadline: Instant? {
        nodes.values.reduce(nil) { next, node in
            next.orEarlier(node.session.deadline).orEarlier(node.isReady ? nil : node.loginDue)
        }
    }
}
