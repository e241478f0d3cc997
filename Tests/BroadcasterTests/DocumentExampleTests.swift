import Broadcaster
import BroadcasterTesting
import Synchronization
import Testing

/// The examples of the documentation that need no server, word for word as they stand there, and what they do.
@Suite(.timeLimit(.minutes(1)))
struct DocumentExampleTests {
    /// What an example prints: in a test `print` is this.
    private final class Output: Sendable {
        private let lines = Mutex<[String]>([])

        var all: [String] { lines.withLock { $0 } }

        func add(_ words: [String]) {
            lines.withLock { $0.append(words.joined(separator: " ")) }
        }
    }

    /// The article GettingStarted: "Publish and subscribe".
    @Test func aMessageIsPublishedAndHeard() async throws {
        let output = Output()
        @Sendable func print(_ words: String...) { output.add(words) }
        let broadcast = try Broadcast("memory://")
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "chatroom")
        try await broadcast.publish("hello", to: "chatroom")
        for try await message in subscription {
            print(message.channel, message.text)
            break
        }
        await broadcast.disconnect()
        #expect(output.all == ["chatroom hello"])
    }

    /// The article GettingStarted: the same with scopes.
    @Test func scopesEndWhatTheyBegin() async throws {
        let output = Output()
        @Sendable func print(_ words: String...) { output.add(words) }
        try await withBroadcast("memory://") { broadcast in
            try await broadcast.withSubscription(to: "chatroom") { subscription in
                try await broadcast.publish("hello", to: "chatroom")
                for try await message in subscription {
                    print(message.text)
                    break
                }
            }
        }
        #expect(output.all == ["hello"])
    }

    /// The articles Memory and History: "Pages".
    @Test func pagesAreReadBackwards() async throws {
        let broadcast = try Broadcast("memory://?history=1000")
        try await broadcast.connect()
        for number in 1...60 { try await broadcast.publish("\(number)", to: "chat") }
        let page = try await broadcast.history(of: "chat", limit: 50)
        let first = page.messages.first?.position
        if let first { _ = try await broadcast.history(of: "chat", .before(first), limit: 50) }
        #expect(page.messages.map(\.text) == (11...60).map(String.init))
        let before = try await broadcast.history(
            of: "chat", .before(try #require(first)), limit: 50)
        #expect(before.messages.map(\.text) == (1...10).map(String.init))
        await broadcast.disconnect()
    }

    /// The page of BroadcasterTesting, and the comment of `MemoryConnection`.
    @Test func aLossIsAGapOfTheTimeThatTheTestSays() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "orders")
        connection.lose()
        connection.clock.advance(by: .seconds(7))
        connection.restore()
        // subscription.events yields .gap(…reconnected(after: 7 s)…)
        var events = subscription.events.makeAsyncIterator()
        guard case .gap(let gap)? = try await events.next(),
            case .reconnected(let time, _) = gap.reason
        else {
            Issue.record("no gap of a connection that was lost")
            return
        }
        #expect(time == .seconds(7))
        await broadcast.disconnect()
    }
}
