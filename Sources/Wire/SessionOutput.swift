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
    /// The messages that came last, not yet among `events`.
    private var collector = MessageCollector()

    package init() {}

    /// The bytes to send on `lane`.
    package subscript(lane: Lane) -> [UInt8] {
        get { outgoing[lane.index] }
        _modify { yield &outgoing[lane.index] }
    }

    package mutating func append(_ event: Event) {
        finishMessages()
        events.append(event)
    }

    /// A message for the subscribers of `topic`, which lies in `bytes` at `range`.
    package mutating func append(
        messageIn bytes: Span<UInt8>, at range: Range<Int>, topic: Int, origin: Origin
    ) {
        if let block = collector.add(bytes, range, topic: topic, origin: origin) {
            events.append(.messages(block))
        }
    }

    /// The same, for a message that is not in a buffer.
    package mutating func append(message payload: Payload, topic: Int, origin: Origin) {
        if let block = collector.add(payload, topic: topic, origin: origin) {
            events.append(.messages(block))
        }
    }

    package mutating func connect(_ lane: Lane) {
        wantedLanes.append(lane)
    }

    /// Closes `lane` after what was put there to send.
    package mutating func finish(_ lane: Lane) {
        finishedLanes.append(lane)
    }

    private mutating func finishMessages() {
        if let block = collector.finish() { events.append(.messages(block)) }
    }

    // MARK: The core's side

    package mutating func takeEvents() -> [Event] {
        finishMessages()
        defer { events.removeAll(keepingCapacity: true) }
        return events
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
