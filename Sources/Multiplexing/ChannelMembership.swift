package import BroadcasterWire

/// Topics that come to a subscriber, and leave it, while it runs.
extension ChannelTable {
    /// Adds topics to a subscriber that runs; those that it has stay as they are. nil if it runs no more.
    ///
    /// - Parameters:
    ///   - call: the number by which it is told when all is confirmed.
    ///   - startsInHistory: whether to wait for the start in each new channel to be known.
    /// - Returns: the topics that are new to it, and whether there is nothing to wait for.
    package mutating func join(
        _ call: Int, _ subscriber: Int, to topics: [TopicName], startsInHistory: Bool = false
    ) -> (mailbox: Mailbox, added: [Topic], isConfirmed: Bool)? {
        guard let mailbox = members[subscriber]?.mailbox else { return nil }
        var added: [Topic] = []
        var awaited: Set<Int> = []
        for name in topics {
            let place = place(for: name)
            if entries[place]?.subscribers.contains(subscriber) == false {
                added.append(Topic(id: place, name: name))
                entries[place]?.subscribers.append(Subscriber(id: subscriber, mailbox: mailbox))
                members[subscriber]?.topics.append(name)
                mark(place)
                awaited.insert(place)
            } else if joins.isPending(place, of: subscriber) {
                awaited.insert(place)
            }
        }
        let unbegun = startsInHistory ? added.filter { !$0.name.isPattern }.map(\.id) : []
        let isConfirmed = joins.add(
            call, of: subscriber, awaited,
            unconfirmed: awaited.filter { entries[$0]?.server != .confirmed },
            unbegun: Set(unbegun))
        return (mailbox, added, isConfirmed)
    }

    /// Takes topics from a subscriber that runs. The result is those that it had, and the calls that wait for nothing more.
    package mutating func leave(
        _ subscriber: Int, _ topics: [TopicName]
    ) -> (mailbox: Mailbox, left: [Int], settled: [Int])? {
        guard let mailbox = members[subscriber]?.mailbox else { return nil }
        var left: [Int] = []
        var settled: [Int] = []
        for name in topics {
            guard let id = ids[name], entries[id]?.subscribers.contains(subscriber) == true else {
                continue
            }
            left.append(id)
            settled += joins.left(id, of: subscriber)
            takeOut(id, of: subscriber)
        }
        return (mailbox, left, settled)
    }

    /// Ends a call that adds topics; those that it alone has added are taken out again.
    package mutating func abandon(
        _ call: Int, _ failure: SubscriptionFailure
    ) -> Outcome? {
        joins.remove(call).map { abandon($0, failure) }
    }

    /// Takes the calls out that add topics to this subscriber.
    package mutating func takeCalls(of subscriber: Int) -> [Int] {
        joins.removeAll(of: subscriber)
    }

    private mutating func abandon(
        _ join: JoinLedger.Abandoned, _ failure: SubscriptionFailure
    ) -> Outcome {
        for topic in join.topics { takeOut(topic, of: join.subscriber) }
        return .abandoned(
            call: join.call, subscriber: join.subscriber, topics: join.topics, failure)
    }

    private mutating func takeOut(_ id: Int, of subscriber: Int) {
        guard let name = entries[id]?.topic.name else { return }
        entries[id]?.subscribers.remove(subscriber)
        members[subscriber]?.topics.removeAll { $0 == name }
        mark(id)
        releaseIfUnused(id)
    }

    /// The topics that are a subscriber's, without those that calls still wait for; nil if it runs no more.
    package func topics(of subscriber: Int) -> [TopicName]? {
        members[subscriber]?.topics.filter { name in
            ids[name].map { !joins.isPending($0, of: subscriber) } ?? false
        }
    }

    /// True if losses of the topic are to be told to the subscriber.
    package func has(_ subscriber: Int, _ topic: Int) -> Bool {
        guard entries.indices.contains(topic) else { return false }
        return entries[topic]?.subscribers.contains(subscriber) == true
            && !joins.isPending(topic, of: subscriber)
    }

    /// The refusal of a topic ends the calls that add it, else the subscriber.
    mutating func ended(
        _ subscriber: Int, by topic: Topic, _ failure: SubscriptionFailure
    ) -> [Outcome] {
        let calls = joins.remove(adding: topic.id, of: subscriber)
        if !calls.isEmpty {
            members[subscriber]?.topics.removeAll { $0 == topic.name }
            return calls.map { abandon($0, failure) }
        }
        let others = joins.removeAll(of: subscriber).map { call in
            Outcome.abandoned(call: call, subscriber: subscriber, topics: [], failure)
        }
        return others
            + (remove(subscriber).map { [.failed(subscriber: subscriber, $0, failure)] } ?? [])
    }
}
