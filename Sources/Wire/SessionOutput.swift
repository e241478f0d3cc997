/// Collects what a session wants sent and what it has to report, in order.
///
/// The core empties it after every call; a test compares it.
public struct SessionOutput: Sendable {
    /// A lane that the session wants to have connected, or secured.
    public struct Connection: Hashable, Sendable {
        /// The number that the session has chosen.
        public let lane: Lane
        /// The security for a lane that is there already; nil asks for a new one.
        public var security: TLSOptions?
        /// nil is the server that the core is connected to, or trying.
        public let endpoint: Endpoint?
        /// True if the session logs in there, and so needs the password.
        public let isLogin: Bool
    }

    /// Bytes to send. The main lane's stand apart: most sessions have no other, and all that is published goes there.
    private var mainBytes: [UInt8] = []
    private var otherBytes: [Lane: [UInt8]] = [:]
    private var connections: [Connection] = []
    private var finished: [Lane] = []
    private var events: [Event] = []
    /// The last entry, as long as it may be added to and is not among `events`: messages, or else answers.
    private var collector = MessageCollector()
    private var acceptance: Acceptance?

    /// An output without anything.
    public init() {}

    /// The time of the session's input, which its messages bear.
    public var time: Instant {
        get { collector.time }
        set { collector.time = newValue }
    }

    /// The bytes to send on `lane`.
    public subscript(lane: Lane) -> [UInt8] {
        get { lane == .main ? mainBytes : otherBytes[lane] ?? [] }
        _modify {
            if lane == .main {
                yield &mainBytes
            } else {
                yield &otherBytes[lane, default: []]
            }
        }
    }

    /// Adds an event behind all that was added before.
    public mutating func append(_ event: Event) {
        finishLast()
        events.append(event)
    }

    /// Adds a message for the subscribers of `topic`, which lies in `bytes` at `range`.
    public mutating func append(
        messageIn bytes: Span<UInt8>, at range: Range<Int>, topic: Int, origin: Origin
    ) {
        if acceptance != nil { finishLast() }
        if let block = collector.add(bytes, range, topic: topic, origin: origin) {
            events.append(.messages(block))
        }
    }

    /// Adds a message that keeps the memory that it lies in, at `range`, behind bytes of its frame.
    package mutating func append(
        message range: Range<Int>, keeping memory: consuming [UInt8], topic: Int, origin: Origin
    ) {
        append(
            .messages(
                MessageBlock(keeping: memory, range, topic: topic, origin: origin, at: time)))
    }

    /// Makes room for `count` messages of one topic, which have `size` bytes and are added next.
    package mutating func makeRoom(forMessages count: Int, size: Int) {
        collector.makeRoom(for: count, size: size)
    }

    /// Adds a message that stands at `position` of its stream.
    public mutating func append(
        messageIn bytes: Span<UInt8>, at range: Range<Int>, position: Position, topic: Int,
        origin: Origin
    ) {
        if acceptance != nil { finishLast() }
        if let block = collector.add(
            bytes, range, position: position, topic: topic, origin: origin)
        {
            events.append(.messages(block))
        }
    }

    /// Adds a message that is not in a buffer.
    public mutating func append(message payload: Payload, topic: Int, origin: Origin) {
        if acceptance != nil { finishLast() }
        if let block = collector.add(payload, topic: topic, origin: origin) {
            events.append(.messages(block))
        }
    }

    /// Adds the server's acceptance of a message. `receivers` is how many it delivered to, where it says so; `position` its
    /// place in the channel's history.
    public mutating func append(
        published ticket: UInt64, receivers: Int?, position: Position? = nil
    ) {
        let receipt = Receipt(receivers: receivers, position: position)
        if acceptance?.add(ticket: ticket, receipt) == true { return }
        finishLast()
        acceptance = Acceptance(ticket: ticket, receipt)
    }

    /// Asks for `lane` to be connected, to `endpoint` or else to the server that the session is with. A lane that is
    /// there already is not connected again.
    ///
    /// - Parameter login: whether the session logs in there, and so needs the password.
    public mutating func connect(_ lane: Lane, to endpoint: Endpoint? = nil, login: Bool = true) {
        connections.append(Connection(lane: lane, endpoint: endpoint, isLogin: login))
    }

    /// Asks for `lane`, which is there, to be secured from here on: the session has taken all that has come, and puts
    /// nothing there until the lane is opened once more, with its security. What comes before that is a fault.
    public mutating func secure(_ lane: Lane, _ options: TLSOptions) {
        connections.append(
            Connection(lane: lane, security: options, endpoint: nil, isLogin: false))
    }

    /// Closes `lane` after what was put there to send.
    public mutating func finish(_ lane: Lane) {
        finished.append(lane)
    }

    private mutating func finishLast() {
        if let block = collector.finish() { events.append(.messages(block)) }
        if let last = acceptance.take() { events.append(.published(last)) }
    }

    // MARK: The core's side

    /// Takes out the events, in order.
    public mutating func takeEvents() -> [Event] {
        finishLast()
        defer { events.removeAll(keepingCapacity: true) }
        return events
    }

    /// As `takeEvents`, without giving the array away.
    package mutating func drainEvents(_ body: (Event) -> Void) {
        finishLast()
        for event in events { body(event) }
        events.removeAll(keepingCapacity: true)
    }

    /// Takes out the lanes that are wanted.
    public mutating func takeConnections() -> [Connection] {
        if connections.isEmpty { return [] }
        defer { connections.removeAll() }
        return connections
    }

    /// Takes out the lanes that are to be closed.
    public mutating func takeFinished() -> [Lane] {
        if finished.isEmpty { return [] }
        defer { finished.removeAll() }
        return finished
    }

    /// Gives `body` the bytes of each lane that has some, to take them out.
    package mutating func drainBytes(_ body: (Lane, inout [UInt8]) -> Void) {
        if !mainBytes.isEmpty { body(.main, &mainBytes) }
        if otherBytes.isEmpty { return }
        for index in otherBytes.indices where !otherBytes.values[index].isEmpty {
            body(otherBytes.keys[index], &otherBytes.values[index])
        }
    }

    /// Drops what was to be sent on a lane that is gone.
    package mutating func discard(_ lane: Lane) {
        if lane == .main { mainBytes = [] } else { otherBytes[lane] = nil }
    }
}
