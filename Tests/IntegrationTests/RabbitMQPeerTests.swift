import Broadcaster
import BroadcasterTestSupport
import Testing

/// Python's aio-pika on the same exchange, both ways; and the command and the chat over RabbitMQ.
@Suite(
    .takesTurns, .enabled(if: Programs.areAvailable(Programs.rabbitmq), "needs rabbitmq-server"),
    .serialized,
    .timeLimit(.minutes(5)))
struct RabbitMQPeerTests {
    private static let publisher = """
        import asyncio, sys, aio_pika
        async def main():
            connection = await aio_pika.connect(sys.argv[1])
            channel = await connection.channel()
            exchange = await channel.get_exchange("broadcaster")
            for text in ["plain", "ünïcödé 🎉", "line\\nline"]:
                await exchange.publish(aio_pika.Message(text.encode(), headers={"x": [1, {"y": None}]}), "chat room")
            await connection.close()
        asyncio.run(main())
        """

    private static let subscriber = """
        import asyncio, sys, aio_pika
        async def main():
            connection = await aio_pika.connect(sys.argv[1])
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            exchange = await channel.declare_exchange("broadcaster", "topic", durable=True)
            await queue.bind(exchange, "peers.#")
            print("ready", flush=True)
            count = 0
            async with queue.iterator(no_ack=True) as messages:
                async for message in messages:
                    print(message.routing_key, repr(message.body.decode()), flush=True)
                    count += 1
                    if count == 2: break
            await connection.close()
        asyncio.run(main())
        """

    @Test(.enabled(if: Programs.pythonHasAioPika, "needs Python with aio-pika"))
    func whatPythonPublishesIsReceived() async throws {
        let server = try await RabbitMQServer.shared.value
        let url = server.url()
        try await withBroadcast(url.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "chat room")
            let python = try ServerProcess([Programs.python, "-c", Self.publisher, url])
            let complaints = await python.remainingLines()
            try #require(complaints.isEmpty, "\(complaints)")
            var seen: [String] = []
            for try await message in subscription {
                seen.append(message.text)
                if seen.count == 3 { break }
            }
            #expect(seen == ["plain", "ünïcödé 🎉", "line\nline"])
        }
    }

    @Test(.enabled(if: Programs.pythonHasAioPika, "needs Python with aio-pika"))
    func pythonReceivesWhatIsPublished() async throws {
        let server = try await RabbitMQServer.shared.value
        let python = try ServerProcess([Programs.python, "-c", Self.subscriber, server.url()])
        let greeting = await python.line(containing: "")
        try #require(greeting == "ready")
        try await withBroadcast(server.url().patient) { broadcast in
            try await broadcast.publish("grüße", to: "peers.a")
            try await broadcast.publish(contentsOf: ["a'b"], to: "peers.b")
        }
        #expect(await python.remainingLines() == ["peers.a 'grüße'", "peers.b \"a'b\""])
    }

    @Test func theShellLinesOfTheReadmeWork() async throws {
        let server = try await RabbitMQServer.shared.value
        func run(_ words: String...) throws -> ServerProcess {
            try ServerProcess([Programs.broadcast] + words + ["--url", server.url()])
        }
        let ping = try run("ping")
        let answer = await ping.remainingLines()
        #expect(answer.contains { $0.hasPrefix("server: rabbitmq 3.") })
        #expect(answer.contains("protocol: AMQP 0-9-1"))
        let subscriber = try run("subscribe", "shell", "--count", "3")
        _ = await subscriber.line(containing: "subscribed")
        let single = try run("publish", "shell", "hello")
        #expect(await single.waitForExit() == 0)
        let several = try run("publish", "shell")
        several.write("one\ntwo\n")
        several.closeInput()
        #expect(await several.waitForExit() == 0)
        #expect(await subscriber.remainingLines() == ["hello", "one", "two"])
        #expect(await subscriber.waitForExit() == 0)
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.curl), "needs curl"))
    func twoChatsAreOneOverRabbitMQ() async throws {
        let server = try await RabbitMQServer.shared.value
        var addresses: [String] = []
        var chats: [ServerProcess] = []
        for _ in 0..<2 {
            let chat = try ServerProcess([
                Programs.broadcast, "chat", "--port", "0", "--url", server.url(),
            ])
            let line = await chat.line(containing: "http://") ?? ""
            addresses.append(
                String(line.split(separator: " ").first { $0.hasPrefix("http") } ?? ""))
            chats.append(chat)
        }
        let listener = try ServerProcess(
            [Programs.curl, "-sNi", addresses[0] + "events/lobby"], mergesErrors: false)
        #expect(await listener.line(containing: "text/event-stream") != nil)
        _ = await listener.line(containing: "")
        let speaker = try ServerProcess(
            [Programs.curl, "-s", "-d", "hello", addresses[1] + "publish/lobby"],
            mergesErrors: false)
        _ = await speaker.remainingLines()
        #expect(await listener.line(containing: "data: ") == "data: hello")
        listener.signal(9)
        for chat in chats { chat.signal(2) }
        for chat in chats { #expect(await chat.waitForExit() == 0) }
    }
}
