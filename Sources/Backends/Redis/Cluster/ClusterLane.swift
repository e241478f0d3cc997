import BroadcasterWire

/// An answer that a node owes, in the order of the requests.
enum ClusterReply: Sendable {
    case publication(ShardPublication)
    /// OK, before a request that the slot's next node takes early.
    case asking
    /// PING, behind a command whose confirmations are pushes: with it, all that the command brings has come.
    case fence(ShardRequest)
    case slots
    case pong(isAsked: Bool)

    var name: String {
        switch self {
        case .publication: "SPUBLISH"
        case .asking: "ASKING"
        case .fence(let request): request.isSubscribing ? "SSUBSCRIBE" : "SUNSUBSCRIBE"
        case .slots: "CLUSTER SLOTS"
        case .pong: "PING"
        }
    }
}

/// A command for channels of one slot.
///
/// The server confirms by pushes, one for each name, and refuses by an error in their place. A push says the same unasked
/// when a slot moves, so it is never matched to a command by its order: what counts is what a channel has become when the
/// fence is answered.
struct ShardRequest: Sendable {
    let slot: Int
    let topics: [Topic]
    let isSubscribing: Bool
    var error: [UInt8]?
}

/// One connection to a node.
struct ClusterLane: Sendable {
    let lane: Lane
    let endpoint: Endpoint
    var decoder: RESPDecoder
    /// nil before the lane is connected.
    var handshake: RedisHandshake?
    var isGreeted = false
    var heartbeat: Heartbeat
    var expected = Queue<ClusterReply>()
    /// The last time that something was to be sent there; nil before that.
    var lastUse: Instant?

    init(_ lane: Lane, to endpoint: Endpoint, _ options: CommonOptions) {
        self.lane = lane
        self.endpoint = endpoint
        var limits = RESPDecoder.Limits(stringLength: max(options.maximumMessageSize, 1 << 20))
        limits.elements = RedisConnection.elements
        decoder = RESPDecoder(limits: limits)
        heartbeat = Heartbeat(interval: options.pingInterval)
    }

    // MARK: Requests

    mutating func send(_ publications: [ShardPublication], into output: inout SessionOutput) {
        RESPEncoder.publish(publications.map(\.publication), by: "SPUBLISH", to: &output[lane])
        for publication in publications { expected.append(.publication(publication)) }
    }

    mutating func ask(into output: inout SessionOutput) {
        RESPEncoder.command(["ASKING"], to: &output[lane])
        expected.append(.asking)
    }

    mutating func send(_ request: ShardRequest, into output: inout SessionOutput) {
        let verb = request.isSubscribing ? "SSUBSCRIBE" : "SUNSUBSCRIBE"
        RESPEncoder.command(verb, request.topics, to: &output[lane])
        RESPEncoder.command(["PING"], to: &output[lane])
        expected.append(.fence(request))
    }

    mutating func askForSlots(into output: inout SessionOutput) {
        RESPEncoder.command(["CLUSTER", "SLOTS"], to: &output[lane])
        expected.append(.slots)
    }

    mutating func ping(isAsked: Bool, into output: inout SessionOutput) {
        RESPEncoder.command(["PING"], to: &output[lane])
        expected.append(.pong(isAsked: isAsked))
    }
}
