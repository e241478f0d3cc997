import BroadcasterMultiplexing
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private func mailbox() -> Mailbox {
    Mailbox(limits: MailboxLimits(messages: 10, bytes: 1000, overflow: .dropOldest))
}

private func isEmpty(_ requests: (subscribe: [Topic], unsubscribe: [Topic])) -> Bool {
    requests.subscribe.isEmpty && requests.unsubscribe.isEmpty
}

struct ChannelTableTests {
    @Test func theFirstSubscriberAsksAndTheLastLeaves() {
        var table = ChannelTable()
        table.connected()
        let isConfirmed = table.add(mailbox(), as: 1, to: [.channel("a")])
        #expect(!isConfirmed)
        let asked = table.takeRequests()
        #expect(asked.subscribe.map(\.name) == [.channel("a")])
        #expect(table.confirmed(asked.subscribe[0].id).count == 1)
        let isConfirmedAtOnce = table.add(mailbox(), as: 2, to: [.channel("a")])
        #expect(isConfirmedAtOnce)
        table.remove(1)
        #expect(table.takeRequests().unsubscribe.isEmpty)
        table.remove(2)
        #expect(table.takeRequests().unsubscribe.map(\.name) == [.channel("a")])
        table.unsubscribed(asked.subscribe[0].id)
        #expect(table.topicCount == 0)
    }

    /// The server's answers to the old request must not end the new one.
    @Test func leavingAndComingBackWhileAnAnswerIsOnItsWay() {
        var table = ChannelTable()
        table.connected()
        _ = table.add(mailbox(), as: 1, to: [.channel("a")])
        let id = table.takeRequests().subscribe[0].id
        table.remove(1)
        #expect(table.takeRequests().unsubscribe.isEmpty, "one request at a time")
        _ = table.add(mailbox(), as: 2, to: [.channel("a")])
        guard case .established(2)? = table.confirmed(id).first else {
            Issue.record("the answer is good for the newcomer")
            return
        }
        #expect(isEmpty(table.takeRequests()))
        table.remove(2)
        #expect(table.takeRequests().unsubscribe.count == 1)
        _ = table.add(mailbox(), as: 3, to: [.channel("a")])
        #expect(isEmpty(table.takeRequests()))
        table.unsubscribed(id)
        #expect(table.takeRequests().subscribe.count == 1, "asked for again after the answer")
    }

    @Test func reconnectingAsksForEverythingThatIsWanted() {
        var table = ChannelTable()
        table.connected()
        _ = table.add(mailbox(), as: 1, to: [.channel("a"), .channel("b"), .pattern("p")])
        for topic in table.takeRequests().subscribe { _ = table.confirmed(topic.id) }
        let interrupted = table.disconnected()
        #expect(interrupted.count == 1 && interrupted.first?.topics.count == 3)
        #expect(isEmpty(table.takeRequests()), "nothing while there is no connection")
        table.connected()
        let again = table.takeRequests().subscribe
        #expect(Set(again.map(\.name)) == [.channel("a"), .channel("b"), .pattern("p")])
        var outcomes: [ChannelTable.Outcome] = []
        for topic in again { outcomes += table.confirmed(topic.id) }
        #expect(outcomes.count == 3)
        for outcome in outcomes {
            guard case .restored = outcome else {
                Issue.record("each topic is restored, and none established again: \(outcomes)")
                return
            }
        }
    }

    /// A refusal that is this server's alone ends nobody who had the channel before: another server may do.
    @Test func anUnsuitableServerEndsOnlyThoseThatWaitForTheirFirst() {
        var table = ChannelTable()
        table.connected()
        _ = table.add(mailbox(), as: 1, to: [.channel("a")])
        let id = table.takeRequests().subscribe[0].id
        _ = table.confirmed(id)
        _ = table.disconnected()
        table.connected()
        _ = table.takeRequests()
        _ = table.add(mailbox(), as: 2, to: [.channel("a")])
        let unsuitable = Rejection(kind: .unsuitable, message: "not here")
        let outcomes = table.refused(id, unsuitable)
        guard case .failed(subscriber: 2, _, _)? = outcomes.first, outcomes.count == 1 else {
            Issue.record("\(outcomes)")
            return
        }
        #expect(isEmpty(table.takeRequests()), "not asked for again on this connection")
        _ = table.disconnected()
        table.connected()
        #expect(table.takeRequests().subscribe.map(\.id) == [id])
        guard case .restored? = table.confirmed(id).first else {
            Issue.record("the first subscriber goes on")
            return
        }
    }

    @Test func aRefusedChannelEndsItsSubscribersAlone() {
        var table = ChannelTable()
        table.connected()
        _ = table.add(mailbox(), as: 1, to: [.channel("a"), .channel("b")])
        _ = table.add(mailbox(), as: 2, to: [.channel("a")])
        let topics = table.takeRequests().subscribe
        let refused = topics.first { $0.name == .channel("b") }
        let rejection = Rejection(kind: .permission, message: "NOPERM")
        let outcomes = table.refused(refused?.id ?? -1, rejection)
        guard outcomes.count == 1, case .failed(1, _, _) = outcomes[0] else {
            Issue.record("\(outcomes)")
            return
        }
        #expect(table.subscriberCount == 1)
        #expect(table.topicCount == 1)
    }

    @Test func namingAChannelTwiceIsNamingItOnce() {
        var table = ChannelTable()
        table.connected()
        _ = table.add(mailbox(), as: 1, to: [.channel("a"), .channel("a")])
        let topics = table.takeRequests().subscribe
        #expect(topics.count == 1)
        #expect(table.confirmed(topics[0].id).count == 1)
        #expect(table.subscribers(of: topics[0].id).count == 1)
    }

    /// A server that answers as Redis does, late and in order: in the end it knows exactly the wanted channels.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func theServerComesToKnowWhatIsWanted(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = ChannelTable()
        var wanted: [Int: [TopicName]] = [:]
        var server: Set<TopicName> = []
        var pending: [(topic: Topic, isSubscribing: Bool)] = []
        var isConnected = false
        var lastSubscriber = 0

        func exchange(all: Bool) {
            repeat {
                let requests = table.takeRequests()
                pending += requests.subscribe.map { ($0, true) }
                pending += requests.unsubscribe.map { ($0, false) }
                guard !pending.isEmpty, all || Bool.random(using: &random) else { return }
                let (topic, isSubscribing) = pending.removeFirst()
                if isSubscribing {
                    #expect(server.insert(topic.name).inserted, "asked twice, seed \(seed)")
                    _ = table.confirmed(topic.id)
                } else {
                    server.remove(topic.name)
                    table.unsubscribed(topic.id)
                }
            } while true
        }

        for _ in 0..<3000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                let topics = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    TopicName.channel("\(Int.random(in: 0..<6, using: &random))")
                }
                lastSubscriber += 1
                wanted[lastSubscriber] = topics
                _ = table.add(mailbox(), as: lastSubscriber, to: topics)
            case 4..<8:
                guard let leaver = wanted.keys.sorted().randomElement(using: &random) else { break }
                wanted[leaver] = nil
                table.remove(leaver)
            case 8 where isConnected && Int.random(in: 0..<8, using: &random) == 0:
                _ = table.disconnected()
                (isConnected, server, pending) = (false, [], [])
            default:
                if !isConnected { table.connected() }
                isConnected = true
            }
            exchange(all: false)
        }
        if !isConnected { table.connected() }
        exchange(all: true)
        #expect(server == Set(wanted.values.joined()), "seed \(seed)")
        #expect(table.topicCount == server.count)
    }
}
