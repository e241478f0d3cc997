import Broadcaster
import Testing

struct RepeatedNameTests {
    @Test func aChannelThatIsNamedTwiceIsHeardOnce() async throws {
        try await withBroadcast("memory://") { broadcast in
            let subscription = try await broadcast.subscribe(to: "a", "b", "a")
            for text in ["1", "2"] { try await broadcast.publish(text, to: "a") }
            var messages = subscription.makeAsyncIterator()
            #expect(try await messages.next()?.text == "1")
            #expect(try await messages.next()?.text == "2")
        }
    }

    /// To Swift's `==` the two are one text; to a server they are two names.
    @Test func twoSpellingsOfAnAccentAreTwoChannels() async throws {
        try await withBroadcast("memory://") { broadcast in
            let subscription = try await broadcast.subscribe(to: "e\u{301}", "\u{e9}")
            try await broadcast.publish("1", to: "\u{e9}")
            try await broadcast.publish("2", to: "e\u{301}")
            var messages = subscription.makeAsyncIterator()
            for (channel, text) in [("\u{e9}", "1"), ("e\u{301}", "2")] {
                let message = try await messages.next()
                #expect(message.map { Array($0.channel.utf8) } == Array(channel.utf8))
                #expect(message?.text == text)
            }
        }
    }
}
