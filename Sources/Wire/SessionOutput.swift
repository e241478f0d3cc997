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
    /// The run that is being collected: the last event, not yet among `events`.
    private var run: MessageRun?

    package init() {}

    /// The bytes to send on `lane`.
    package subscript(lane: Lane) -> [UInt8] {
        get { outgoing[lane.index] }
        _modify { yield &outgoing[lane.index] }
    }

    package mutating func append(_ event: Event) {
        sealRun()
        events.append(event)
    }

    /// A message for the subscribers of `topic`, which lies in `bytes` at `range`.
    package mutating func append(
        messageIn bytes: Span<UInt8>, at range: Range<Int>, topic: Int, origin: Origin
    ) {
        if run == nil || run?.topic != topic || run?.origin !== origin {
            sealRun()
            run = MessageRun(topic: topic, origin: origin)
        }
        run?.append(bytes, range)
    }

    package mutating func connect(_ lane: Lane) {
        wantedLanes.append(lane)
    }

    /// Closes `lane` after what was put there to send.
    package mutating func finish(_ lane: Lane) {
        finishedLanes.append(lane)
    }

    private mutating func sealRun() {
        guard let finished = run else { return }
        run = nil
        events.append(.messages(finished))
    }

    // MARK: The core's side

    package mutating func takeEvents() -> [Event] {
        sealRun()
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
