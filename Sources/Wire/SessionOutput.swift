/// Where a session puts what it wants sent and what it has to tell, in order.
///
/// The core empties it after every call; a test compares it.
package struct SessionOutput: Sendable {
    /// Bytes to send, a lane each.
    private var outgoing: [[UInt8]] = [[], []]
    /// Lanes that the session wants to have connected, beside `.main`.
    package private(set) var wantedLanes: [Lane] = []
    /// Lanes that the session has no more use for.
    package private(set) var finishedLanes: [Lane] = []
    private var events: [Event] = []
    /// What came last and may be added to, not yet among `events`: messages, or else answers.
    private var collector = MessageCollector()
    private var acceptance: Acceptance?

    package init() {}

    /// The bytes to send on `lane`.
    package subscript(lane: Lane) -> [UInt8] {
        get { outgoing[lane.index] }
        _modify { yield &outgoing[lane.index] }
    }

    package mutating func append(_ event: Event) {
        finishLast()
        events.append(event)
    }

    /// A message for the subscribers of `topic`, which lies in `bytes` at `range`.
    package mutating func append(
        messageIn bytes: Span<UInt8>, at range: Range<Int>, topic: Int, origin: Origin
    ) {
        if acceptance != nil { finishLast() }
        if let block = collector.add(bytes, range, topic: topic, origin: origin) {
            events.append(.messages(block))
        }
    }

    /// The same, for a message that is not in a buffer.
    package mutating func append(message payload: Payload, topic: Int, origin: Origin) {
        if acceptance != nil { finishLast() }
        if let block = collector.add(payload, topic: topic, origin: origin) {
            events.append(.messages(block))
        }
    }

    /// The server has accepted a message. `receivers` is how many it delivered to, where it says so.
    package mutating func append(published ticket: UInt64, receivers: Int?) {
        if acceptance?.add(ticket: ticket, receivers: receivers) == true { return }
        finishLast()
        acceptance = Acceptance(ticket: ticket, receivers: receivers)
    }

    package mutating func connect(_ lane: Lane) {
        wantedLanes.append(lane)
    }

    /// Closes `lane` after what was put there to send.
    package mutating func finish(_ lane: Lane) {
        finishedLanes.append(lane)
    }

    private mutating func finishLast() {
        if let block = collector.finish() { events.append(.messages(block)) }
        if let last = acceptance.take() { events.append(.published(last)) }
    }

    // MARK: The core's side

    package mutating func takeEvents() -> [Event] {
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

    package mutating func takeFinishedLanes() -> [Lane] {
        defer { finishedLanes.removeAll() }
        return finishedLanes
    }

    package mutating func takeWantedLanes() -> [Lane] {
        defer { wantedLanes.removeAll() }
        return wantedLanes
    }
}
