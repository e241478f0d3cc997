import Broadcaster
import BroadcasterTestSupport
import Testing

/// Servers that keep less than was published, and readers that are slow, on each backend that keeps history.
@Suite(.takesTurns, .timeLimit(.minutes(5))) struct HistoryLimitTests {
    /// What a subscription gets up to a text, with its gaps in words.
    private func sight(
        _ subscription: Subscription, upTo last: String
    ) async throws -> (numbers: [Int], gaps: [Gap]) {
        var numbers: [Int] = []
        var gaps: [Gap] = []
        for try await event in subscription.events {
            switch event {
            case .gap(let gap): gaps.append(gap)
            case .message(let message):
                if message.text == last { return (numbers, gaps) }
                numbers.append(try #require(Int(message.text)))
            }
        }
        return (numbers, gaps)
    }

    private func publish(_ numbers: ClosedRange<Int>, _ broadcast: Broadcast) async throws {
        try await broadcast.publish(contentsOf: numbers.map { "\($0)" }, to: "c")
    }

    @Test(arguments: HistoryServer.allCases)
    func theFirstMessageOfANewChannelComes(server: HistoryServer) async throws {
        try await server.run { broadcast in
            for number in 0..<10 {
                let subscription = try await broadcast.subscribe(to: "new\(number)")
                try await broadcast.publish("first", to: "new\(number)")
                #expect(try await subscription.take(1).map(\.text) == ["first"])
            }
        }
    }

    /// What was gone before it began is no gap.
    @Test(arguments: HistoryServer.allCases)
    func allThatIsLeftIsRead(server: HistoryServer) async throws {
        try await server.run(keeping: 1000) { broadcast in
            try await publish(1...2000, broadcast)
            let subscription = try await broadcast.subscribe(to: "c", history: .all)
            try await broadcast.publish("end", to: "c")
            let (numbers, gaps) = try await sight(subscription, upTo: "end")
            let first = try #require(numbers.first)
            #expect(numbers == Array(first...2000) && gaps.isEmpty)
            // Redis removes whole nodes, and Postgres at every 128th message, of batches of 256.
            #expect(server == .memory ? first == 1001 : (700...1002) ~= first, "\(first)")
        }
    }

    @Test(arguments: HistoryServer.allCases)
    func whatWasTrimmedIsCounted(server: HistoryServer) async throws {
        try await server.run(keeping: 100) { broadcast in
            try await publish(1...50, broadcast)
            let newest = try await broadcast.history(of: "c", limit: 1)
            let place = try #require(newest.messages.first?.position)
            for start in stride(from: 51, to: 301, by: 50) {
                try await publish(start...start + 49, broadcast)
            }
            try await broadcast.publish("end", to: "c")
            let subscription = try await broadcast.subscribe(to: "c", history: .after(place))
            let (numbers, gaps) = try await sight(subscription, upTo: "end")
            let first = try #require(numbers.first)
            #expect(numbers == Array(first...300) && first > 51)
            #expect(gaps.map(\.reason) == [.trimmed])
            // Redis's ids do not count.
            #expect(gaps.first?.lost == (server == .redis ? nil : first - 51))
        }
    }

    /// One that sleeps longer than the server keeps what it has no room for.
    @Test(arguments: HistoryServer.allCases)
    func aSleeperIsToldHowManyAreGone(server: HistoryServer) async throws {
        try await server.run(keeping: 100) { broadcast in
            let sleeper = try await broadcast.subscribe(
                to: "c", buffer: SubscriptionBuffer(messages: 8))
            for start in stride(from: 1, to: 1001, by: 100) {
                try await publish(start...start + 99, broadcast)
            }
            try await broadcast.publish("end", to: "c")
            let (numbers, gaps) = try await sight(sleeper, upTo: "end")
            #expect(numbers.last == 1000)
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
            #expect(!gaps.isEmpty && gaps.allSatisfy { $0.reason == .trimmed })
            let lost = gaps.compactMap(\.lost)
            if server != .redis {
                #expect(numbers.count + lost.reduce(0, +) == 1000, "\(numbers) \(lost)")
            }
        }
    }

    @Test(arguments: HistoryServer.allCases)
    func oneThatNeverReadsHoldsUpNobody(server: HistoryServer) async throws {
        try await server.run { broadcast in
            let idle = try await broadcast.subscribe(
                to: "c", buffer: SubscriptionBuffer(messages: 8))
            var others: [Subscription] = []
            for _ in 0..<999 { others.append(try await broadcast.subscribe(to: "c")) }
            try await publish(1...50, broadcast)
            let expected = (1...50).map { "\($0)" }
            for other in others {
                #expect(try await other.take(50).map(\.text) == expected)
            }
            #expect(try await idle.take(50).map(\.text) == expected)
        }
    }
}
