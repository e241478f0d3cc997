import BroadcasterWire

/// A loss that is not over: topics that have lost their source together, and the messages that wait behind the gap
/// that they will be. A pure value.
///
/// A topic that is subscribed again while others of its loss are not waits for them, so that one loss is one gap.
/// Messages of topics that were not lost do not wait: they pass by.
struct OpenGap: Sendable {
    private let since: Instant
    private let reason: String
    private var topics: Set<Int>
    /// Those of `topics` that are not subscribed again.
    private var pending: Set<Int>
    /// A topic has come back, and not where it stood: messages may be missing.
    private var mayMiss = false
    var held = DeliveryQueue()

    init(_ topics: Set<Int>, since: Instant, _ reason: String) {
        self.topics = topics
        self.since = since
        self.reason = reason
        pending = topics
    }

    var isOver: Bool { pending.isEmpty }

    func holds(_ topic: Int) -> Bool {
        topics.contains(topic)
    }

    func overlaps(_ others: Set<Int>) -> Bool {
        !topics.isDisjoint(with: others)
    }

    /// Takes in another loss of some of these topics, and of others. With nothing behind it, the first goes on.
    mutating func lostAgain(_ others: Set<Int>, since: Instant, _ reason: String) {
        topics.formUnion(others)
        pending.formUnion(others)
        held.appendLoss(since: since, reason)
    }

    /// Takes in another open gap, since a loss has struck topics of both.
    mutating func merge(_ other: OpenGap) {
        topics.formUnion(other.topics)
        pending.formUnion(other.pending)
        mayMiss = mayMiss || other.mayMiss
        held.append(contentsOf: other.held)
    }

    /// Notes that a topic is subscribed again.
    ///
    /// - Parameter isResumed: where it stood, so that nothing is missing.
    mutating func restore(_ topic: Int, isResumed: Bool) {
        guard pending.remove(topic) != nil else { return }
        if !isResumed {
            mayMiss = true
        } else if held.isEmpty {
            topics.remove(topic)
        }
    }

    /// Notes that the subscriber has left a topic that had no source: what was published until then may be missing.
    mutating func leave(_ topic: Int) {
        if pending.remove(topic) != nil { mayMiss = true }
        // With nothing of it behind the gap, its number may be another topic's next.
        if held.isEmpty { topics.remove(topic) }
    }

    /// Puts the gap, if it is one, and then all that waited behind it, at the end of `queue`.
    func close(at now: Instant, into queue: inout DeliveryQueue) {
        if mayMiss { queue.append(.connectionLost(reason: reason, for: now - since)) }
        queue.append(contentsOf: held, lossesEndingAt: mayMiss ? now : nil)
    }
}
