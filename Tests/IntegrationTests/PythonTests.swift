import Broadcaster
import BroadcasterTestSupport
import Testing

/// Promise 12: Python's `broadcaster` 0.3.1 with redis-py < 8, on the same channels.
@Suite(
    .takesTurns,
    .enabled(
        if: Programs.areAvailable(Programs.redis, Programs.python) && Programs.pythonHasBroadcaster,
        "needs redis-server and Python with broadcaster[redis] and redis<8"),
    .serialized, .timeLimit(.minutes(5)))
struct PythonTests {
    private static let publisher = """
        import asyncio, sys
        from broadcaster import Broadcast
        async def main():
            async with Broadcast(sys.argv[1]) as broadcast:
                for text in ["plain", "ünïcödé 🎉", "line\\nline"]:
                    await broadcast.publish("chat room", text)
        asyncio.run(main())
        """

    private static let subscriber = """
        import asyncio, sys
        from broadcaster import Broadcast
        async def main():
            async with Broadcast(sys.argv[1]) as broadcast:
                async with broadcast.subscribe("chat room") as subscriber:
                    print("ready", flush=True)
                    count = 0
                    async for event in subscriber:
                        print(event.channel, repr(event.message), flush=True)
                        count += 1
                        if count == 2:
                            return
        asyncio.run(main())
        """

    @Test(arguments: ["protocol=3", "protocol=2"])
    func whatPythonPublishesIsReceived(query: String) async throws {
        let server = try await RedisServer()
        try await withBroadcast("\(server.url)?\(query)") { broadcast in
            let subscription = try await broadcast.subscribe(to: "chat room")
            let python = try ServerProcess([Programs.python, "-c", Self.publisher, server.url])
            // Without the packages there is nothing to wait for.
            let complaints = await python.remainingLines()
            try #require(complaints.isEmpty)
            var seen: [String] = []
            for try await message in subscription {
                seen.append(message.text)
                if seen.count == 3 { break }
            }
            #expect(seen == ["plain", "ünïcödé 🎉", "line\nline"])
        }
    }

    @Test func pythonReceivesWhatIsPublished() async throws {
        let server = try await RedisServer()
        let python = try ServerProcess([Programs.python, "-c", Self.subscriber, server.url])
        let greeting = await python.line(containing: "")
        try #require(greeting == "ready")
        try await withBroadcast(server.url.patient) { broadcast in
            try await broadcast.publish("grüße", to: "chat room")
            try await broadcast.publish(contentsOf: ["a'b"], to: "chat room")
        }
        #expect(await python.remainingLines() == ["chat room 'grüße'", "chat room \"a'b\""])
    }

    // MARK: Streams

    @Test func whatPythonAddsToAStreamIsReceived() async throws {
        let server = try await RedisServer()
        try await withBroadcast(server.streamURL.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "chat room")
            let python = try ServerProcess([
                Programs.python, "-c", Self.publisher, server.streamURL,
            ])
            _ = await python.remainingLines()
            var seen: [String] = []
            for try await message in subscription {
                seen.append(message.text)
                if seen.count == 3 { break }
            }
            #expect(seen == ["plain", "ünïcödé 🎉", "line\nline"])
            let page = try await broadcast.history(of: "chat room")
            #expect(page.messages.map(\.text) == seen)
        }
    }

    /// Python's backend fails in its own way after its last `unsubscribe`: what it says then does not count.
    @Test func pythonReadsTheStream() async throws {
        let server = try await RedisServer()
        let python = try ServerProcess([Programs.python, "-c", Self.subscriber, server.streamURL])
        let greeting = await python.line(containing: "")
        try #require(greeting == "ready")
        try await withBroadcast(server.streamURL.patient) { broadcast in
            try await broadcast.publish("grüße", to: "chat room")
            try await broadcast.publish(contentsOf: ["a'b"], to: "chat room")
        }
        #expect(await python.line(containing: "chat room") == "chat room 'grüße'")
        #expect(await python.line(containing: "chat room") == "chat room \"a'b\"")
    }
}
