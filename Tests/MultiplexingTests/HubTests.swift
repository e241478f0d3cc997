import BroadcasterMultiplexing
import BroadcasterWire
import Synchronization
import Testing

/// The hub, driven by hand: what subscribers are told, and what the driver is told of them.
struct HubTests {
    private let hub = Hub(maximumTopics: 3)
    private let now = Instant.now

    private func open() -> SignalCount {
        let signals = SignalCount()
        hub.open { signals.add() }
        hub.connected()
        return signals
    }

    private func mailbox() -> Mailbox {
        Mailbox(limits: MailboxLimits(messages: 10, bytes: 1000, overflow: .dropOldest))
    }

    /// Subscribes, and confirms from the other side.
    private func subscribe(_ mailbox: Mailbox, to names: String...) async -> [Int] {
        let id = hub.newSubscriber()
        var topics: [Int] = []
        let failure = await withCheckedContinuation { waiter in
            hub.add(mailbox, as: id, to: names.map(TopicName.channel), waiter: waiter)
            topics = hub.takeSubscribed().map(\.id)
            for topic in topics { hub.confirmed(topic, at: now) }
        }
        #expect(failure == nil)
        return topics
    }

    private func gaps(_ mailbox: Mailbox) -> [DeliveryGap] {
        var gaps: [DeliveryGap] = []
        while let delivery = mailbox.poll() {
            if case .gap(let gap) = delivery { gaps.append(gap) }
        }
        return gaps
    }

    @Test func aSubscriberSignalsOnceUntilRequestsAreTaken() async {
        let signals = open()
        let ids = (0..<3).map { _ in hub.newSubscriber() }
        async let failures = withTaskGroup(of: SubscriptionFailure?.self) { group in
            for id in ids {
                group.addTask {
                    await withCheckedContinuation { waiter in
                        hub.add(mailbox(), as: id, to: [.channel("a")], waiter: waiter)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        while hub.counts.subscribers < 3 { await Task.yield() }
        #expect(signals.count == 1)
        #expect(hub.takeSubscribed().count == 1)
        for id in ids { hub.remove(id) }
        #expect(signals.count == 2, "leaving signals too, and again once")
        #expect(await failures == [.cancelled, .cancelled, .cancelled])
    }

    @Test func anAcknowledgedSignalComesAgain() async {
        let signals = open()
        let mailbox = mailbox()
        _ = await subscribe(mailbox, to: "a")
        let before = signals.count
        hub.remove(1)
        hub.acknowledgeSignal()
        hub.remove(2)
        #expect(signals.count == before + 2)
    }

    @Test func onlySubscribersOfAnInterruptedTopicGetAGap() async {
        _ = open()
        let (one, two, both) = (mailbox(), mailbox(), mailbox())
        let a = await subscribe(one, to: "a")
        _ = await subscribe(two, to: "b")
        _ = await subscribe(both, to: "a", "b")
        hub.interrupted(a, at: now, reason: "its node died")
        #expect(hub.takeSubscribed().map(\.id) == a, "it is asked for again")
        hub.confirmed(a[0], at: now + .seconds(2))
        let gap = DeliveryGap.connectionLost(reason: "its node died", for: .seconds(2))
        #expect(gaps(one) == [gap])
        #expect(gaps(two) == [])
        #expect(gaps(both) == [gap])
    }

    @Test func aTopicThatResumesWhereItStoodIsNoGap() async {
        _ = open()
        let mailbox = mailbox()
        let topics = await subscribe(mailbox, to: "a", "b")
        hub.disconnected(since: now, reason: "x")
        hub.connected()
        #expect(hub.takeSubscribed().count == 2)
        for topic in topics { hub.confirmed(topic, isResumed: true, at: now) }
        #expect(gaps(mailbox) == [])
        hub.disconnected(since: now, reason: "x")
        hub.connected()
        _ = hub.takeCommands()
        hub.confirmed(topics[0], isResumed: true, at: now)
        hub.confirmed(topics[1], isResumed: false, at: now)
        #expect(gaps(mailbox).count == 1, "one of them may have missed something")
    }

    /// A topic may lose its source while others of the same call are still unconfirmed.
    @Test func aCallOfSubscribeWaitsForATopicThatWasInterruptedMeanwhile() async {
        _ = open()
        let id = hub.newSubscriber()
        async let failure = withCheckedContinuation { waiter in
            hub.add(mailbox(), as: id, to: [.channel("a"), .channel("b")], waiter: waiter)
            let topics = hub.takeSubscribed().map(\.id)
            hub.confirmed(topics[0], at: now)
            hub.interrupted([topics[0]], at: now, reason: "x")
            hub.confirmed(topics[1], at: now)
        }
        while hub.counts.topics < 2 { await Task.yield() }
        var again: [Topic] = []
        while again.isEmpty {
            again = hub.takeSubscribed()
            await Task.yield()
        }
        #expect(again.count == 1)
        hub.confirmed(again[0].id, at: now)
        #expect(await failure == nil)
    }

    @Test func moreTopicsThanAllowedAreRefused() async {
        _ = open()
        let failure = await withCheckedContinuation { waiter in
            hub.add(
                mailbox(), as: hub.newSubscriber(),
                to: (0..<4).map { TopicName.channel("\($0)") }, waiter: waiter)
        }
        #expect(failure == .tooManyTopics(limit: 3))
    }

    @Test func aClosedHubEndsEverybodyAndTakesNobody() async {
        _ = open()
        let mailbox = mailbox()
        _ = await subscribe(mailbox, to: "a")
        hub.close()
        guard case .end(nil)? = mailbox.poll() else {
            Issue.record("not ended")
            return
        }
        let failure = await withCheckedContinuation { waiter in
            hub.add(mailbox, as: hub.newSubscriber(), to: [.channel("a")], waiter: waiter)
        }
        #expect(failure == .closed)
    }
}

/// How often a driver was told.
private final class SignalCount: Sendable {
    private let signals = Mutex(0)
    var count: Int { signals.withLock { $0 } }
    func add() { signals.withLock { $0 += 1 } }
}

extension Hub {
    /// The topics that the server is to be asked for.
    func takeSubscribed() -> [Topic] {
        takeCommands().flatMap { command in
            if case .subscribe(let topics) = command { topics } else { [Topic]() }
        }
    }
}
