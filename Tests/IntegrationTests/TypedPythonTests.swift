import Broadcaster
import BroadcasterJSON
import BroadcasterTestSupport
import Testing

/// A JSON value is what Python's `json` writes and reads, over Python's `broadcaster`, both ways.
@Suite(
    .takesTurns,
    .enabled(
        if: Programs.areAvailable(Programs.redis, Programs.python) && Programs.pythonHasBroadcaster,
        "needs redis-server and Python with broadcaster[redis] and redis<8"),
    .serialized, .timeLimit(.minutes(5)))
struct TypedPythonTests {
    struct Line: Codable, Hashable, Sendable {
        var user: String
        var text: String
        var likes: Int
        var tags: [String]
        var reply: Bool?
    }

    private static let lines = [
        Line(user: "ada", text: "plain", likes: 0, tags: []),
        Line(user: "ünï 🎉", text: "a\"b/c\\d\n\u{1}", likes: -7, tags: ["x", ""], reply: true),
    ]

    /// Sends back what it gets, as its own `json` writes it, on the other channel; and then what is no JSON.
    private static let echo = """
        import asyncio, json, sys
        from broadcaster import Broadcast
        async def main():
            async with Broadcast(sys.argv[1]) as broadcast:
                async with broadcast.subscribe("to python") as subscriber:
                    print("ready", flush=True)
                    count = 0
                    async for event in subscriber:
                        value = json.loads(event.message)
                        print(json.dumps(value, sort_keys=True), flush=True)
                        await broadcast.publish("from python", json.dumps(value, indent=count))
                        count += 1
                        if count == 2:
                            await broadcast.publish("from python", "no json")
                            return
        asyncio.run(main())
        """

    @Test func valuesGoToPythonAndBack() async throws {
        let server = try await RedisServer()
        let python = try ServerProcess([Programs.python, "-c", Self.echo, server.url])
        try #require(await python.line(containing: "") == "ready")
        try await withBroadcast(server.url.patient) { broadcast in
            let subscription = try await broadcast.channel(
                "from python", of: Line.self, codec: .json
            ).subscribe()
            let there = broadcast.channel("to python", of: Line.self, codec: .json)
            for line in Self.lines { try await there.publish(line) }
            var received: [TypedMessage<Line>] = []
            for try await line in subscription {
                received.append(line)
                if received.count == 3 { break }
            }
            #expect(received.map(\.value) == Self.lines + [nil])
            #expect(received.last?.message.text == "no json")
        }
        let seen = await python.remainingLines()
        #expect(seen.first == #"{"likes": 0, "tags": [], "text": "plain", "user": "ada"}"#)
    }
}
