/// The calls that add topics to subscribers that run already, and what each waits for. A pure value.
///
/// A topic that a call waits for is not its subscriber's yet: that it is lost meanwhile is no gap, and that it is refused
/// ends the call, and not the subscription. Two calls may add one topic: it stays as long as one of them does.
struct JoinLedger: Sendable {
    private struct Join {
        let subscriber: Int
        var topics: Set<Int>
        /// Those of `topics` that the server has not confirmed.
        var unconfirmed: Set<Int>
        /// Those of `topics` whose start in their history is not known.
        var unbegun: Set<Int>

        var isOver: Bool { unconfirmed.isEmpty && unbegun.isEmpty }
    }

    /// A call that is no more, with the topics that go with it.
    struct Abandoned: Sendable {
        let call: Int
        let subscriber: Int
        let topics: [Int]
    }

    private var joins: [Int: Join] = [:]
    private var calls: [Int: [Int]] = [:]

    var isEmpty: Bool { joins.isEmpty }

    /// True if calls wait for this topic of the subscriber.
    func isPending(_ topic: Int, of subscriber: Int) -> Bool {
        !joins.isEmpty && !calls(for: topic, of: subscriber).isEmpty
    }

    private func calls(for topic: Int, of subscriber: Int) -> [Int] {
        (calls[subscriber] ?? []).filter { joins[$0]?.topics.contains(topic) == true }
    }

    // MARK: Calls

    /// Adds a call. The result is whether there is nothing that it waits for.
    ///
    /// - Parameters:
    ///   - topics: those that are new to the subscriber, or that another call of it waits for.
    ///   - unconfirmed: those of `topics` that the server has not confirmed.
    ///   - unbegun: those that are new, if their starts have to be found.
    mutating func add(
        _ call: Int, of subscriber: Int, _ topics: Set<Int>, unconfirmed: Set<Int>,
        unbegun: Set<Int>
    ) -> Bool {
        let others = (calls[subscriber] ?? []).compactMap { joins[$0] }
        let awaited = others.reduce(into: Set<Int>()) { $0.formUnion($1.unbegun) }
        let join = Join(
            subscriber: subscriber, topics: topics, unconfirmed: unconfirmed,
            unbegun: unbegun.union(awaited.intersection(topics)))
        if join.isOver { return true }
        joins[call] = join
        calls[subscriber, default: []].append(call)
        return false
    }

    /// Takes a call out, with the topics that no other call of its subscriber adds.
    mutating func remove(_ call: Int) -> Abandoned? {
        guard let join = joins.removeValue(forKey: call) else { return nil }
        forget(call, of: join.subscriber)
        let topics = join.topics.filter { calls(for: $0, of: join.subscriber).isEmpty }
        return Abandoned(call: call, subscriber: join.subscriber, topics: Array(topics))
    }

    /// Takes the calls out that add this topic to the subscriber: they have failed.
    mutating func remove(adding topic: Int, of subscriber: Int) -> [Abandoned] {
        calls(for: topic, of: subscriber).compactMap { remove($0) }
    }

    /// Takes all calls of a subscriber out.
    mutating func removeAll(of subscriber: Int) -> [Int] {
        let ended = calls.removeValue(forKey: subscriber) ?? []
        for call in ended { joins[call] = nil }
        return ended
    }

    private mutating func forget(_ call: Int, of subscriber: Int) {
        calls[subscriber]?.removeAll { $0 == call }
        if calls[subscriber]?.isEmpty == true { calls[subscriber] = nil }
    }

    // MARK: What they wait for

    /// Notes that the server has confirmed a topic. The result is the calls that are over.
    mutating func confirmed(_ topic: Int, of subscriber: Int) -> [Int] {
        update(topic, of: subscriber) { $0.unconfirmed.remove(topic) }
    }

    /// Notes that the start in a topic's history is known. The result is the calls that are over.
    mutating func begun(_ topic: Int, of subscriber: Int) -> [Int] {
        update(topic, of: subscriber) { $0.unbegun.remove(topic) }
    }

    /// Notes that the subscriber has left a topic: nobody waits for it. The result is the calls that are over.
    mutating func left(_ topic: Int, of subscriber: Int) -> [Int] {
        update(topic, of: subscriber) { join in
            join.topics.remove(topic)
            join.unconfirmed.remove(topic)
            join.unbegun.remove(topic)
        }
    }

    /// Notes that a topic that was confirmed has lost its source.
    mutating func lost(_ topic: Int, of subscriber: Int) {
        for call in calls(for: topic, of: subscriber) { joins[call]?.unconfirmed.insert(topic) }
    }

    private mutating func update(
        _ topic: Int, of subscriber: Int, _ change: (inout Join) -> Void
    ) -> [Int] {
        var over: [Int] = []
        for call in calls(for: topic, of: subscriber) {
            guard var join = joins[call] else { continue }
            change(&join)
            joins[call] = join
            if join.isOver { over.append(call) }
        }
        for call in over { settle(call) }
        return over
    }

    /// A call is over: its topics are the subscriber's now, whoever else adds them.
    private mutating func settle(_ call: Int) {
        guard let join = joins.removeValue(forKey: call) else { return }
        forget(call, of: join.subscriber)
        for other in calls[join.subscriber] ?? [] { joins[other]?.topics.subtract(join.topics) }
    }
}
