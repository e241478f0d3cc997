package import BroadcasterWire

/// The channels that subscribers want, and what the server knows of them. A pure value.
///
/// Each topic has a desired side (it has subscribers) and a confirmed one (what the server was asked for, and has
/// answered). `takeRequests` closes the difference, with at most one request under way for a topic: first
/// subscriber, last subscriber, reconnection and a topic that has lost its source are this one comparison, and a topic
/// that is left and wanted again meanwhile is asked for again after the answer.
package struct ChannelTable: Sendable {
    /// The state of a topic on the server, as far as its answers tell.
    enum ServerSide {
        /// Leads to: subscribing.
        case absent
        /// Leads to: confirmed, absent (refused, or its source was lost).
        case subscribing
        /// Leads to: unsubscribing, absent.
        case confirmed
        /// Leads to: absent.
        case unsubscribing
    }

    struct Entry {
        let topic: Topic
        var server = ServerSide.absent
        var subscribers = SubscriberList()
    }

    struct Membership {
        let mailbox: Mailbox
        var topics: [TopicName]
        /// The number of `topics` that the server has not confirmed, and of starts in their histories that are not known, as
        /// long as `subscribe` waits for them.
        var unconfirmed: Int
        /// All were confirmed once: `subscribe` has returned, and from now on losses are reported.
        var isEstablished = false
    }

    /// An action for outside of the lock that guards the table.
    package enum Outcome: Sendable {
        /// All topics of a new subscriber are confirmed, or of a call that adds some to one that runs.
        case established(Int)
        /// A topic of an established subscriber is confirmed, again.
        case restored(Mailbox)
        case failed(subscriber: Int, Mailbox, SubscriptionFailure)
        /// A call that adds topics to a subscriber that runs has failed, and these topics are its no more.
        case abandoned(call: Int, subscriber: Int, topics: [Int], SubscriptionFailure)
    }

    /// The topics that an established subscriber may miss messages of.
    package struct Missed: Sendable {
        let subscriber: Int
        let mailbox: Mailbox
        package var topics: [Int]
    }

    var entries: [Entry?] = []
    private var vacant: [Int] = []
    var ids: [TopicName: Int] = [:]
    var members: [Int: Membership] = [:]
    var joins = JoinLedger()
    private(set) var isConnected = false
    /// Topics whose desired and confirmed sides may differ.
    private var changed: [Int] = []

    package init() {}

    package var topicCount: Int { ids.count }

    /// The topics that somebody wants and no server delivers now.
    package var unservedCount: Int {
        entries.count { entry in
            guard let entry else { return false }
            return entry.server != .confirmed && !entry.subscribers.isEmpty
        }
    }

    package var subscriberCount: Int { members.count }
    package var mailboxes: [Mailbox] { members.values.map(\.mailbox) }

    // MARK: Subscribers

    /// The number of `topics` that no subscriber has named yet.
    package func newTopics(among topics: [TopicName]) -> Int {
        Set(topics).count { ids[$0] == nil }
    }

    /// Adds a subscriber to all of `topics`. The result is whether the server has confirmed them all.
    ///
    /// - Parameter startsInHistory: whether it also waits for its start in each channel to be known.
    package mutating func add(
        _ mailbox: Mailbox, as id: Int, to topics: [TopicName], startsInHistory: Bool = false
    ) -> Bool {
        let subscriber = Subscriber(id: id, mailbox: mailbox)
        var unique: [TopicName] = []
        var unconfirmed = 0
        unique.reserveCapacity(topics.count)
        if topics.count > 1 { ids.reserveCapacity(ids.count + topics.count) }
        for topic in topics {
            let place = place(for: topic)
            // Named twice.
            if entries[place]?.subscribers.last == id { continue }
            unique.append(topic)
            entries[place]?.subscribers.append(subscriber)
            if entries[place]?.server != .confirmed { unconfirmed += 1 }
            if startsInHistory, !topic.isPattern { unconfirmed += 1 }
            mark(place)
        }
        members[subscriber.id] = Membership(
            mailbox: mailbox, topics: unique, unconfirmed: unconfirmed,
            isEstablished: unconfirmed == 0)
        return unconfirmed == 0
    }

    /// Removes a subscriber. The result is its mailbox, if it was there.
    @discardableResult
    package mutating func remove(_ subscriber: Int) -> Mailbox? {
        guard let membership = members.removeValue(forKey: subscriber) else { return nil }
        for name in membership.topics {
            guard let id = ids[name] else { continue }
            entries[id]?.subscribers.remove(subscriber)
            mark(id)
            releaseIfUnused(id)
        }
        return membership.mailbox
    }

    package func name(of topic: Int) -> TopicName? {
        entries.indices.contains(topic) ? entries[topic]?.topic.name : nil
    }

    /// The subscribers that a message of this topic goes to.
    package func subscribers(of topic: Int) -> SubscriberList {
        guard entries.indices.contains(topic) else { return SubscriberList() }
        return entries[topic]?.subscribers ?? SubscriberList()
    }

    mutating func place(for name: TopicName) -> Int {
        if let id = ids[name] { return id }
        let id = vacant.popLast() ?? entries.count
        let entry = Entry(topic: Topic(id: id, name: name))
        if id == entries.count { entries.append(entry) } else { entries[id] = entry }
        ids[name] = id
        return id
    }

    /// Without a connection there is nothing to ask for; the next one begins with all there is.
    mutating func mark(_ id: Int) {
        if isConnected { changed.append(id) }
    }

    /// Forgets a topic without subscribers, once the server does not know it either.
    mutating func releaseIfUnused(_ id: Int) {
        guard let entry = entries[id], entry.subscribers.isEmpty, entry.server == .absent else {
            return
        }
        ids[entry.topic.name] = nil
        entries[id] = nil
        vacant.append(id)
    }

    // MARK: The server

    /// The requests that bring the server to what is desired.
    package mutating func takeRequests() -> (subscribe: [Topic], unsubscribe: [Topic]) {
        guard isConnected else { return ([], []) }
        var requests: (subscribe: [Topic], unsubscribe: [Topic]) = ([], [])
        for id in changed {
            guard let entry = entries[id] else { continue }
            switch (entry.server, isWanted: !entry.subscribers.isEmpty) {
            case (.absent, true):
                entries[id]?.server = .subscribing
                requests.subscribe.append(entry.topic)
            case (.confirmed, false):
                entries[id]?.server = .unsubscribing
                requests.unsubscribe.append(entry.topic)
            default: break
            }
        }
        changed.removeAll(keepingCapacity: changed.count < 1024)
        return requests
    }

    package mutating func connected() {
        isConnected = true
        changed = Array(ids.values)
    }

    package mutating func confirmed(_ id: Int) -> [Outcome] {
        guard entries.indices.contains(id), entries[id]?.server == .subscribing else { return [] }
        entries[id]?.server = .confirmed
        mark(id)
        var outcomes: [Outcome] = []
        subscribers(of: id).forEach { subscriber in
            if joins.isPending(id, of: subscriber.id) {
                outcomes += joins.confirmed(id, of: subscriber.id).map { .established($0) }
            } else if let outcome = confirmed(for: subscriber) {
                outcomes.append(outcome)
            }
        }
        return outcomes
    }

    private mutating func confirmed(for subscriber: Subscriber) -> Outcome? {
        guard let membership = members[subscriber.id] else { return nil }
        if membership.isEstablished { return .restored(subscriber.mailbox) }
        return fulfilled(for: subscriber.id)
    }

    /// Notes that a subscriber's start in the history of one of its channels is known.
    package mutating func begun(_ subscriber: Int, in topic: Int) -> [Outcome] {
        if members[subscriber]?.isEstablished == false {
            return fulfilled(for: subscriber).map { [$0] } ?? []
        }
        return joins.begun(topic, of: subscriber).map { .established($0) }
    }

    /// One of the things that `subscribe` waits for has come.
    private mutating func fulfilled(for subscriber: Int) -> Outcome? {
        members[subscriber]?.unconfirmed -= 1
        guard members[subscriber]?.unconfirmed == 0 else { return nil }
        members[subscriber]?.isEstablished = true
        return .established(subscriber)
    }

    /// The channels, and not the patterns, of a subscriber.
    package func channels(of subscriber: Int) -> [Topic] {
        (members[subscriber]?.topics ?? []).compactMap { name in
            name.isPattern ? nil : ids[name].map { Topic(id: $0, name: name) }
        }
    }

    package mutating func unsubscribed(_ id: Int) {
        guard entries.indices.contains(id), entries[id]?.server == .unsubscribing else { return }
        entries[id]?.server = .absent
        mark(id)
        releaseIfUnused(id)
    }

    /// The server refuses the topic: its subscribers end, the others go on. A refusal that is this server's alone ends
    /// those that wait for their first confirmation; the others wait for another server, and the topic is asked for
    /// again on the next connection.
    package mutating func refused(_ id: Int, _ rejection: Rejection) -> [Outcome] {
        guard entries.indices.contains(id), let entry = entries[id] else { return [] }
        entries[id]?.server = .absent
        var (ending, staying) = (entry.subscribers, SubscriberList())
        if rejection.kind == .unsuitable {
            (ending, staying) = (SubscriberList(), SubscriberList())
            entry.subscribers.forEach { subscriber in
                if members[subscriber.id]?.isEstablished == true,
                    !joins.isPending(id, of: subscriber.id)
                {
                    staying.append(subscriber)
                } else {
                    ending.append(subscriber)
                }
            }
        }
        // At once: taken out one by one, each would be looked for among the others.
        entries[id]?.subscribers = staying
        let failure = SubscriptionFailure.refused(topic: entry.topic.name, rejection)
        var outcomes: [Outcome] = []
        ending.forEach { outcomes += ended($0.id, by: entry.topic, failure) }
        // Those that left have marked it; it is not asked for again on this connection.
        if !staying.isEmpty { changed.removeAll { $0 == id } }
        releaseIfUnused(id)
        return outcomes
    }

    /// Forgets all that the server knew: the connection is gone. See `interrupted`.
    package mutating func disconnected() -> [Missed] {
        isConnected = false
        changed.removeAll()
        return interrupted(entries.indices)
    }

    /// Forgets what the server knew of these topics: their source is gone, and they are to be asked for again. The
    /// result is the established subscribers, each with the topics that it may miss messages of.
    package mutating func interrupted(
        _ topics: some Sequence<Int>
    ) -> [Missed] {
        var missed: [Int: [Int]] = [:]
        for id in topics where entries.indices.contains(id) {
            guard let entry = entries[id], entry.server != .absent else { continue }
            entries[id]?.server = .absent
            mark(id)
            entry.subscribers.forEach { subscriber in
                if joins.isPending(id, of: subscriber.id) {
                    if entry.server == .confirmed { joins.lost(id, of: subscriber.id) }
                } else if members[subscriber.id]?.isEstablished == true {
                    missed[subscriber.id, default: []].append(id)
                } else if entry.server == .confirmed {
                    members[subscriber.id]?.unconfirmed += 1
                }
            }
            releaseIfUnused(id)
        }
        return missed.compactMap { id, topics in
            members[id].map { Missed(subscriber: id, mailbox: $0.mailbox, topics: topics) }
        }
    }

    /// Takes everybody out.
    package mutating func removeAll() -> [(id: Int, mailbox: Mailbox)] {
        let everybody = members.map { (id: $0.key, mailbox: $0.value.mailbox) }
        self = ChannelTable()
        return everybody
    }
}
