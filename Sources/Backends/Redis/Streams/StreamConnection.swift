import BroadcasterWire

extension Lane {
    /// The connection on which XREAD waits.
    static let bells = Lane(index: 1)
}

/// One of the connections of a session with streams, and the answers that are due on it.
struct StreamConnection: Sendable {
    var handshake: RedisHandshake
    var decoder: RESPDecoder
    var heartbeat: Heartbeat
    var expected = Queue<StreamReply>()
    var isGreeted = false

    /// The bytes that a page may have: it is asked for by its entries, whose size nobody knows before.
    private static let pageLimit = 256 << 20

    init(_ handshake: RedisHandshake, _ options: CommonOptions) {
        self.handshake = handshake
        let length = max(options.maximumMessageSize, 1 << 20)
        var limits = RESPDecoder.Limits(stringLength: length)
        // A thousand entries with many fields, or a bell for each of a hundred thousand streams.
        limits.elements = 1 << 21
        limits.valueSize = max(limits.valueSize, StreamConnection.pageLimit)
        decoder = RESPDecoder(limits: limits)
        heartbeat = Heartbeat(interval: options.pingInterval)
    }
}

/// An answer that the server owes, in the order of the requests.
enum StreamReply: Sendable {
    case publication(ticket: UInt64, channel: String)
    /// Of one of the commands of a reading.
    case page(ticket: UInt64)
    /// The state of a stream that is being subscribed to.
    case tail(Topic)
    /// The same, to find what no bell has told.
    case look(Topic)
    case bells
    case waiterID
    case wake
    case pong(isAsked: Bool)
    case slots
    /// What trimming has done.
    case ignored

    private var name: String {
        switch self {
        case .publication: "XADD"
        case .page: "XRANGE"
        case .tail, .look: "XINFO"
        case .bells: "XREAD"
        case .waiterID: "CLIENT ID"
        case .wake: "CLIENT UNBLOCK"
        case .pong: "PING"
        case .slots: "CLUSTER SLOTS"
        case .ignored: "XTRIM"
        }
    }

    func fault(_ reply: RESPValue) -> ProtocolError {
        ProtocolError(unexpected: reply, to: name)
    }
}

/// The readings under way, and how many entries make a page.
struct StreamPages: Sendable {
    private var reads: [UInt64: StreamRead] = [:]
    /// Entries of a page of some 256 KiB, by the sizes that were seen.
    private(set) var size = 100

    private static let bytes = 256 << 10

    mutating func begin(_ request: HistoryRequest) -> [[String]] {
        var read = StreamRead(request, Origin(request.channel.name), pageSize: size)
        defer { reads[request.ticket] = read }
        return read.begin()
    }

    mutating func receive(
        _ reply: RESPValue, _ ticket: UInt64
    ) throws(ProtocolError) -> (StreamRead, StreamRead.Progress)? {
        guard var read = reads[ticket] else { return nil }
        let progress = try read.receive(reply)
        reads[ticket] = read
        if case .done(let page, let bytes) = progress {
            reads[ticket] = nil
            note(page.messages?.count ?? 0, bytes)
        }
        return (read, progress)
    }

    /// Grows in steps: the next page may be of another kind than those before.
    private mutating func note(_ count: Int, _ bytes: Int) {
        guard count > 0 else { return }
        size = max(1, min(StreamPages.bytes * count / max(bytes, 1), size * 4, 1000))
    }

    func expectsUnknown(_ ticket: UInt64) -> Bool {
        reads[ticket]?.expectsMissingStream ?? false
    }

    mutating func remove(_ ticket: UInt64) -> StreamRead? {
        reads.removeValue(forKey: ticket)
    }
}

extension RESPValue {
    var errorText: [UInt8]? {
        switch self {
        case .error(let text), .blobError(let text): text
        default: nil
        }
    }
}

extension Rejection {
    /// The answer of a replica, or of a master that has lost its replicas.
    var isReadOnly: Bool { message.hasPrefix("READONLY") }

    /// The same, as a refusal of XADD: a full memory is a state that passes, and so is a wrong server.
    var ofPublishing: Rejection {
        if isReadOnly { return Rejection(kind: .unsuitable, message: message) }
        if message.hasPrefix("OOM") { return Rejection(kind: .temporary, message: message) }
        return self
    }
}
