import Broadcaster
import BroadcasterTestSupport
import Testing

/// The one meaning of history, on each backend that keeps one: facts of `History`'s table of tests.
@Suite(.takesTurns) struct HistoryTests {
    @Test(arguments: HistoryServer.allCases)
    func whatIsNewComesWithPositions(server: HistoryServer) async throws {
        try await server.run { broadcast in
            try await broadcast.publish("before", to: "c")
            let subscription = try await broadcast.subscribe(to: "c")
            let first = try await broadcast.publish("one", to: "c")
            try await broadcast.publish("two", to: "c")
            let messages = try await subscription.take(2)
            #expect(messages.map(\.text) == ["one", "two"])
            #expect(messages[0].position != nil)
            #expect(first.position == (server.tellsPosition ? messages[0].position : nil))
            #expect(messages[1].position?.isAfter(try #require(messages[0].position)) == true)
            #expect(subscription.startPositions["c"] != nil)
        }
    }

    @Test(arguments: HistoryServer.allCases)
    func theLastComeFirst(server: HistoryServer) async throws {
        try await server.run { broadcast in
            try await broadcast.publish(contentsOf: (1...5).map { "\($0)" }, to: "c")
            let subscription = try await broadcast.subscribe(to: "c", history: .last(3))
            try await broadcast.publish("6", to: "c")
            #expect(try await subscription.take(4).map(\.text) == ["3", "4", "5", "6"])
            let more = try await broadcast.subscribe(to: "c", history: .last(100))
            #expect(try await more.take(6).map(\.text) == (1...6).map { "\($0)" })
            let none = try await broadcast.subscribe(to: "c", history: .last(0))
            try await broadcast.publish("7", to: "c")
            #expect(try await none.take(1).map(\.text) == ["7"])
        }
    }

    @Test(arguments: HistoryServer.allCases)
    func aPositionIsGoneOnFromStrictly(server: HistoryServer) async throws {
        try await server.run { broadcast in
            let empty = try await broadcast.subscribe(to: "c")
            let start = try #require(empty.startPositions["c"])
            empty.cancel()
            try await broadcast.publish(contentsOf: ["1", "2"], to: "c")
            let both = try await broadcast.subscribe(to: "c", history: .after(start))
            let messages = try await both.take(2)
            #expect(messages.map(\.text) == ["1", "2"])
            let place = try #require(messages[0].position)
            #expect(MessagePosition(place.description) == place)
            let second = try await broadcast.subscribe(to: "c", history: .after(place))
            #expect(try await second.take(1).map(\.text) == ["2"])
            let tail = try #require(messages[1].position)
            let last = try await broadcast.subscribe(to: "c", history: .after(tail))
            try await broadcast.publish("3", to: "c")
            #expect(try await last.take(1).map(\.text) == ["3"])
        }
    }

    /// The start of an added channel is its own: from the past, from now on, or behind what was read before it was left.
    @Test(arguments: HistoryServer.allCases)
    func aChannelIsAddedWithItsHistory(server: HistoryServer) async throws {
        try await server.run { broadcast in
            try await broadcast.publish(contentsOf: ["1", "2", "3"], to: "d")
            let subscription = try await broadcast.subscribe(to: "c")
            try await subscription.add("d", history: .last(2))
            let two = try await subscription.take(2)
            #expect(two.map(\.text) == ["2", "3"])
            subscription.remove("d")
            try await broadcast.publish("4", to: "d")
            try await subscription.add("d", history: .after(try #require(two[1].position)))
            #expect(subscription.startPositions["d"] == two[1].position)
            #expect(subscription.startPositions["c"] != nil)
            try await broadcast.publish("5", to: "d")
            #expect(try await subscription.take(2).map(\.text) == ["4", "5"])
            subscription.remove("d")
            try await broadcast.publish("6", to: "d")
            try await subscription.add("d")
            try await broadcast.publish("7", to: "d")
            #expect(try await subscription.take(1).map(\.text) == ["7"])
        }
    }

    @Test(arguments: HistoryServer.allCases)
    func allThatIsKeptComesInPages(server: HistoryServer) async throws {
        try await server.run { broadcast in
            try await broadcast.publish(contentsOf: (0..<3000).map { "\($0)" }, to: "c")
            let all = try await broadcast.subscribe(
                to: "c", history: .all, buffer: SubscriptionBuffer(messages: 8))
            #expect(try await all.take(3000).map(\.text) == (0..<3000).map { "\($0)" })
            try await broadcast.publish("more", to: "c")
            #expect(try await all.take(1).map(\.text) == ["more"])
        }
    }

    @Test(arguments: HistoryServer.allCases)
    func pagesGoThroughAllOfIt(server: HistoryServer) async throws {
        try await server.run { broadcast in
            try await broadcast.publish(contentsOf: (0..<1000).map { "\($0)" }, to: "c")
            var page = try await broadcast.history(of: "c", limit: 100)
            var texts = page.messages.map(\.text)
            var pages = 1
            while !page.isEnd {
                try await broadcast.publish("new", to: "c")
                let first = try #require(page.messages.first?.position)
                page = try await broadcast.history(of: "c", .before(first), limit: 100)
                texts = page.messages.map(\.text) + texts
                pages += 1
                #expect(page.gap == nil)
            }
            #expect(texts == (0..<1000).map { "\($0)" })
            #expect(pages == 10 || pages == 11)
            let oldest = try await broadcast.history(of: "c", .oldest, limit: 2)
            #expect(oldest.messages.map(\.text) == ["0", "1"])
            let next = try #require(oldest.next)
            let behind = try await broadcast.history(of: "c", .after(next), limit: 2)
            #expect(behind.messages.map(\.text) == ["2", "3"])
            #expect(try await broadcast.history(of: "empty").messages.isEmpty)
        }
    }

    /// A reader that is slower than its buffer reads again what had no room.
    @Test(arguments: HistoryServer.allCases)
    func aSlowReaderLosesNothing(server: HistoryServer) async throws {
        try await server.run { broadcast in
            let slow = try await broadcast.subscribe(
                to: "c", buffer: SubscriptionBuffer(messages: 8))
            let quick = try await broadcast.subscribe(to: "c")
            for batch in 0..<10 {
                try await broadcast.publish(
                    contentsOf: (0..<100).map { "\(batch * 100 + $0)" }, to: "c")
            }
            let expected = (0..<1000).map { "\($0)" }
            #expect(try await quick.take(1000).map(\.text) == expected)
            #expect(try await slow.take(1000).map(\.text) == expected)
            #expect(broadcast.statistics.dropped == 0)
        }
    }

    /// Subscriptions of every kind come and go while the publisher never stops.
    @Test(arguments: HistoryServer.allCases)
    func joiningUnderLoadHasNoSeam(server: HistoryServer) async throws {
        try await server.run { broadcast in
            let told = try await broadcast.publish("-1", to: "c").position
            let oldest = try await broadcast.history(of: "c", .oldest).messages.first?.position
            let place = try #require(told ?? oldest)
            let publisher = Task {
                var number = 0
                while !Task.isCancelled {
                    try await broadcast.publish(
                        contentsOf: (number..<number + 10).map { "\($0)" }, to: "c")
                    number += 10
                }
            }
            defer { publisher.cancel() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 {
                    let start: SubscriptionStart =
                        [.new, .last(20), .after(place), .all, .since(.seconds(1))][number % 5]
                    group.addTask {
                        let subscription = try await broadcast.subscribe(
                            to: "c", history: start, buffer: SubscriptionBuffer(messages: 16))
                        let numbers = try await subscription.take(200).compactMap { Int($0.text) }
                        let first = try #require(numbers.first)
                        let isWhole = numbers == Array(first..<first + 200)
                        #expect(isWhole, "\(start) from \(first)")
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}

extension Subscription {
    /// The next messages; fails on a gap.
    func take(_ count: Int) async throws -> [Message] {
        var messages: [Message] = []
        var iterator = events.makeAsyncIterator()
        while messages.count < count, let event = try await iterator.next() {
            switch event {
            case .message(let message):
                messages.append(message)
                guard let place = message.position else { continue }
                let text = place.description
                #expect(MessagePosition(text) == place)
                #expect(text.utf8.count <= 80 && text.utf8.allSatisfy { (0x21...0x7e) ~= $0 })
            case .gap(let gap): Issue.record("a gap: \(gap)")
            }
        }
        return messages
    }
}
