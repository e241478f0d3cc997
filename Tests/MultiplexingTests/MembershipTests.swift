import BroadcasterMultiplexing
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Topics that come and go while a subscriber runs.
struct MembershipTests {
    private let hub = Hub(maximumTopics: 3)
    private let now = Instant.now
    private let mailbox = Mailbox(
        limits: MailboxLimits(messages: 10, bytes: 1000, overflow: .dropOldest))

    private func open() {
        hub.open {}
        hub.connected()
    }

    /// Subscribes to a topic, and confirms it from the other side.
    private func subscribe(_ mailbox: Mailbox, to name: String) async -> (id: Int, topics: [Int]) {
        let id = hub.newSubscriber()
        var topics: [Int] = []
        let failure = await withCheckedContinuation { waiter in
            hub.add(mailbox, as: id, to: [.channel(name)], waiter: waiter)
            topics = hub.takeSubscribed().map(\.id)
            for topic in topics { hub.confirmed(topic, at: now) }
        }
        #expect(failure == nil)
        return (id, topics)
    }

    /// Adds topics, and then does what the server does.
    private func join(
        _ id: Int, _ names: String..., server: ([Int]) -> Void
    ) async -> SubscriptionFailure? {
        await withCheckedContinuation { waiter in
            hub.join(id, to: names.map(TopicName.channel), as: hub.newSubscriber(), waiter: waiter)
            server(hub.takeSubscribed().map(\.id))
        }
    }

    private func texts(_ mailbox: Mailbox) -> [String] {
        var texts: [String] = []
        while let delivery = mailbox.poll() {
            switch delivery {
            case .message(let message): texts.append(String(decoding: message.bytes, as: UTF8.self))
            case .gap: texts.append("gap")
            case .end:
                texts.append("end")
                return texts
            }
        }
        return texts
    }

    private func deliver(_ text: String, of topic: Int) {
        var output = SessionOutput()
        output.append(message: .text(text), topic: topic, origin: Origin(channel: "c"))
        for case .messages(let block) in output.takeEvents() { hub.deliver(block) }
    }

    @Test func aTopicThatIsAddedIsConfirmedAndDelivered() async {
        open()
        let (id, first) = await subscribe(mailbox, to: "a")
        var added: [Int] = []
        let failure = await join(id, "a", "b") { asked in
            added = asked
            for topic in asked { hub.confirmed(topic, at: now) }
        }
        #expect(failure == nil)
        #expect(added.count == 1, "what it has is not asked for again")
        deliver("1", of: first[0])
        deliver("2", of: added[0])
        #expect(texts(mailbox) == ["1", "2"])
        #expect(hub.topics(of: id) == [.channel("a"), .channel("b")])
        #expect(hub.counts.subscribers == 1)
    }

    @Test func whatOthersHaveIsAddedAtOnce() async {
        open()
        let other = Mailbox(
            limits: MailboxLimits(messages: 10, bytes: 1000, overflow: .dropOldest))
        _ = await subscribe(other, to: "b")
        let (id, _) = await subscribe(mailbox, to: "a")
        let failure = await join(id, "b") { asked in #expect(asked.isEmpty) }
        #expect(failure == nil)
    }

    @Test func aRefusedTopicEndsTheCallAndNotTheSubscription() async {
        open()
        let (id, first) = await subscribe(mailbox, to: "a")
        let rejection = Rejection(kind: .permission, message: "no")
        let failure = await join(id, "b", "c") { asked in
            hub.confirmed(asked[0], at: now)
            hub.refused(asked[1], rejection)
        }
        #expect(failure == .refused(topic: .channel("c"), rejection))
        #expect(hub.topics(of: id) == [.channel("a")])
        guard case .unsubscribe(let left)? = hub.takeCommands().first else {
            Issue.record("what was confirmed of the call is left again")
            return
        }
        #expect(left.map(\.name) == [.channel("b")])
        deliver("goes on", of: first[0])
        #expect(texts(mailbox) == ["goes on"])
    }

    @Test func aCancelledCallLeavesNothingBehind() async {
        open()
        let (id, _) = await subscribe(mailbox, to: "a")
        let failure = await withCheckedContinuation { waiter in
            let call = hub.newSubscriber()
            hub.join(id, to: [.channel("b")], as: call, waiter: waiter)
            hub.cancelPending(call, .cancelled)
        }
        #expect(failure == .cancelled)
        #expect(hub.topics(of: id) == [.channel("a")])
        #expect(hub.counts.topics == 1)
        #expect(texts(mailbox) == [], "the subscription goes on")
    }

    @Test func theEndOfTheSubscriptionEndsItsCalls() async {
        open()
        let (id, _) = await subscribe(mailbox, to: "a")
        #expect(await join(id, "b") { _ in hub.remove(id) } == .cancelled)
        #expect(await join(id, "b") { _ in } == .ended)
        #expect(hub.topics(of: id) == nil)
    }

    @Test func theLimitOfTopicsHolds() async {
        open()
        let (id, _) = await subscribe(mailbox, to: "a")
        #expect(await join(id, "b", "c", "d") { _ in } == .tooManyTopics(limit: 3))
        #expect(await join(id, "b", "c") { $0.forEach { hub.confirmed($0, at: now) } } == nil)
    }

    @Test func theLastThatLeavesUnsubscribes() async {
        open()
        let other = Mailbox(
            limits: MailboxLimits(messages: 10, bytes: 1000, overflow: .dropOldest))
        let (id, topics) = await subscribe(mailbox, to: "a")
        let (last, _) = await subscribe(other, to: "a")
        deliver("before", of: topics[0])
        hub.leave(id, [.channel("a"), .channel("unknown")], at: now)
        #expect(hub.takeCommands().isEmpty)
        deliver("after", of: topics[0])
        #expect(texts(mailbox) == ["before"])
        hub.leave(last, [.channel("a")], at: now)
        #expect(hub.takeCommands().count == 1)
        #expect(hub.counts.subscribers == 2, "without topics they go on")
    }

    /// What is lost with the topics that are still waited for is one gap, and the topic that was left does not hold it up.
    @Test func aTopicThatIsLeftDuringAnOutageHoldsNothingUp() async {
        open()
        let (id, first) = await subscribe(mailbox, to: "a")
        _ = await join(id, "b") { $0.forEach { hub.confirmed($0, at: now) } }
        hub.disconnected(since: now, reason: "cable")
        hub.connected()
        _ = hub.takeCommands()
        hub.confirmed(first[0], at: now)
        deliver("held", of: first[0])
        #expect(texts(mailbox) == [])
        hub.leave(id, [.channel("b")], at: now)
        #expect(texts(mailbox) == ["gap", "held"])
    }

    /// Its messages are promised from the moment at which the call returns.
    @Test func aTopicThatIsLostBeforeItIsConfirmedIsNoGap() async {
        open()
        let (id, first) = await subscribe(mailbox, to: "a")
        let failure = await join(id, "b") { asked in
            hub.confirmed(first[0], at: now)
            hub.disconnected(since: now, reason: "cable")
            hub.connected()
            #expect(hub.takeSubscribed().count == 2)
            hub.confirmed(first[0], at: now)
            hub.confirmed(asked[0], at: now)
        }
        #expect(failure == nil)
        #expect(texts(mailbox) == ["gap"], "of the one that it had")
    }
}

extension MembershipTests {
    /// Subscribers, their calls, and a server that answers late and in order.
    private struct Model {
        var table = ChannelTable()
        var random: SeededRandom
        var server: Set<TopicName> = []
        var pending: [(topic: Topic, isSubscribing: Bool)] = []
        var isConnected = false
        /// The topics of each subscriber, also those that calls wait for.
        var wanted: [Int: Set<TopicName>] = [:]
        /// Calls under way, with those of their topics that they wait for.
        var calls: [Int: (subscriber: Int, topics: Set<TopicName>)] = [:]
        var lastNumber = 0

        mutating func names() -> [TopicName] {
            (0..<Int.random(in: 1...3, using: &random)).map { _ in
                .channel("\(Int.random(in: 0..<6, using: &random))")
            }
        }

        mutating func take(_ outcomes: [ChannelTable.Outcome]) {
            for case .established(let number) in outcomes {
                guard let call = calls.removeValue(forKey: number) else { continue }
                #expect(call.topics.isSubset(of: server), "not all is confirmed")
                for other in calls.keys where calls[other]?.subscriber == call.subscriber {
                    calls[other]?.topics.subtract(call.topics)
                }
            }
            for case .abandoned(let number, let subscriber, let topics, _) in outcomes {
                let call = calls.removeValue(forKey: number)
                let others = calls.values.filter { $0.subscriber == subscriber }
                let kept = others.reduce(into: Set<TopicName>()) { $0.formUnion($1.topics) }
                let gone = call?.topics.subtracting(kept) ?? []
                #expect(gone.count == topics.count)
                wanted[subscriber]?.subtract(gone)
            }
        }

        mutating func join(_ subscriber: Int) {
            let names = names()
            lastNumber += 1
            let held = wanted[subscriber] ?? []
            let awaited = calls.values.filter { $0.subscriber == subscriber }
                .reduce(into: Set<TopicName>()) { $0.formUnion($1.topics) }
            let new = Set(names).subtracting(held)
            let joining = table.join(lastNumber, subscriber, to: names)
            #expect(Set(joining?.added.map(\.name) ?? []) == new)
            wanted[subscriber]?.formUnion(names)
            guard joining?.isConfirmed == false else { return }
            calls[lastNumber] = (subscriber, new.union(awaited.intersection(names)))
        }

        mutating func leave(_ subscriber: Int) {
            let names = names()
            let leaving = table.leave(subscriber, names)
            #expect(leaving?.left.count == wanted[subscriber]?.intersection(names).count)
            wanted[subscriber]?.subtract(names)
            for number in calls.keys where calls[number]?.subscriber == subscriber {
                calls[number]?.topics.subtract(names)
            }
            for number in leaving?.settled ?? [] {
                #expect(calls.removeValue(forKey: number)?.topics.isSubset(of: server) == true)
            }
        }

        mutating func exchange(all: Bool) {
            repeat {
                let requests = table.takeRequests()
                pending += requests.subscribe.map { ($0, true) }
                pending += requests.unsubscribe.map { ($0, false) }
                guard !pending.isEmpty, all || Bool.random(using: &random) else { return }
                let (topic, isSubscribing) = pending.removeFirst()
                if !isSubscribing {
                    server.remove(topic.name)
                    table.unsubscribed(topic.id)
                } else {
                    #expect(server.insert(topic.name).inserted, "asked twice")
                    take(table.confirmed(topic.id))
                }
            } while true
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func eachCallEndsWhenItsTopicsAreConfirmed(seed: UInt64) {
        var model = Model(random: SeededRandom(seed: seed))
        for _ in 0..<3000 {
            let someone = model.wanted.keys.sorted().randomElement(using: &model.random)
            switch (Int.random(in: 0..<12, using: &model.random), someone) {
            case (0, _) where model.wanted.count < 6:
                model.lastNumber += 1
                let names = model.names()
                _ = model.table.add(mailbox, as: model.lastNumber, to: names)
                model.wanted[model.lastNumber] = Set(names)
                if model.isConnected { model.exchange(all: true) }
            case (1, let leaver?) where Int.random(in: 0..<4, using: &model.random) == 0:
                for call in model.table.takeCalls(of: leaver) { model.calls[call] = nil }
                model.table.remove(leaver)
                model.wanted[leaver] = nil
            case (2..<6, let id?) where model.table.topics(of: id) != nil: model.join(id)
            case (6..<8, let id?): model.leave(id)
            case (8, _):
                guard let call = model.calls.keys.sorted().first else { break }
                model.take(model.table.abandon(call, .cancelled).map { [$0] } ?? [])
            case (9, _) where model.isConnected && Int.random(in: 0..<6, using: &model.random) == 0:
                _ = model.table.disconnected()
                (model.isConnected, model.server, model.pending) = (false, [], [])
            default:
                if !model.isConnected { model.table.connected() }
                model.isConnected = true
            }
            model.exchange(all: false)
        }
        if !model.isConnected { model.table.connected() }
        model.exchange(all: true)
        #expect(model.calls.isEmpty, "seed \(seed)")
        #expect(model.server == model.wanted.values.reduce(into: []) { $0.formUnion($1) })
        for (id, names) in model.wanted {
            #expect(Set(model.table.topics(of: id) ?? []) == names, "seed \(seed)")
        }
    }
}
