import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// What `history=stream` does on a real RabbitMQ, beyond the one meaning that `HistoryTests` has.
@Suite(
    .takesTurns, .enabled(if: Programs.areAvailable(Programs.rabbitmq), "needs rabbitmq-server"),
    .serialized, .timeLimit(.minutes(5)))
struct RabbitMQStreamTests {
    /// A node that is killed.
    static let node = Task { try await RabbitMQServer() }

    /// The tests of the one meaning, one after the other.
    @Test func historyMeansWhatItMeansElsewhere() async throws {
        let tests = HistoryTests()
        try await tests.whatIsNewComesWithPositions(server: .rabbitmq)
        try await tests.theLastComeFirst(server: .rabbitmq)
        try await tests.aPositionIsGoneOnFromStrictly(server: .rabbitmq)
        try await tests.allThatIsKeptComesInPages(server: .rabbitmq)
        try await tests.aChannelIsAddedWithItsHistory(server: .rabbitmq)
        try await tests.pagesGoThroughAllOfIt(server: .rabbitmq)
        try await tests.aSlowReaderLosesNothing(server: .rabbitmq)
        try await tests.joiningUnderLoadHasNoSeam(server: .rabbitmq)
    }

    @Test func aNodeThatDiesUnderLoadLosesNothing() async throws {
        let server = try await Self.node.value
        let broadcast = try Broadcast(server.streamURL("load").patient)
        try await broadcast.connect()
        // A node that is killed moments after its first stream was made forgets its coordinator of streams
        // (3.10.8: `ra_directory` writes its table to the disk later).
        try await broadcast.publish("first", to: "made before")
        try await server.control("eval", "[dets:sync(Table) || Table <- dets:all()].")
        let load = HistoryLoad(broadcast: broadcast, isRefusedAtTimes: true)
        try await load.losesNothing(crashes: 1) {
            await server.signal(SIGKILL, waits: true)
            try await server.start()
        }
        await broadcast.disconnect()
    }

    /// What others publish while the connection is away comes once, in its order.
    @Test func whatOthersPublishMeanwhileComesOnce() async throws {
        let server = try await Self.node.value
        let proxy = try FaultyProxy(toPort: server.port)
        let url = server.streamURL("meanwhile")
        let through = url.replacing(":\(server.port)", with: ":\(proxy.port)")
        let reader = try Broadcast(through.patient)
        let publisher = try Broadcast(url.patient)
        try await reader.connect()
        try await publisher.connect()
        let subscription = try await reader.subscribe(to: "c")
        let numbers = (0..<100).map(String.init)
        var messages: [Message] = []
        for start in stride(from: 0, to: 100, by: 20) {
            proxy.set { $0.refuses = true }
            proxy.cut()
            try await publisher.publish(contentsOf: Array(numbers[start..<start + 20]), to: "c")
            proxy.set { $0.refuses = false }
            messages += try await subscription.take(20)
        }
        // Copies at one position were read twice.
        let shown = messages.map { "\($0.text) at \($0.position.map(\.description) ?? "?")" }
        #expect(messages.map(\.text) == numbers, "\(shown)")
        await reader.disconnect()
        await publisher.disconnect()
    }

    /// A program without history and one with it are on the same channels.
    @Test func othersHearAndAreKept() async throws {
        let server = try await Self.node.value
        let exchange = "shared-exchange"
        let kept = try Broadcast(server.streamURL(exchange).patient)
        let plain = try Broadcast(server.url("?exchange=\(exchange)").patient)
        try await kept.connect()
        try await plain.connect()
        let subscription = try await kept.subscribe(to: "c")
        let other = try await plain.subscribe(to: "c")
        try await plain.publish("from a plain one", to: "c")
        try await kept.publish("from a keeper", to: "c")
        // Marks, which a reader of the stream writes, are nobody's messages.
        let late = try await kept.subscribe(to: "c", history: .all)
        try await kept.publish("last", to: "c")
        let expected = ["from a plain one", "from a keeper", "last"]
        #expect(try await subscription.take(3).map(\.text) == expected)
        #expect(try await other.take(3).map(\.text) == expected)
        #expect(try await late.take(3).map(\.text) == expected)
        await kept.disconnect()
        await plain.disconnect()
    }

    /// The new one is longer, or shorter, than the place of the reader is far.
    @Test(arguments: [3, 50])
    func aStreamThatIsMadeAnewIsAReset(count: Int) async throws {
        let server = try await Self.node.value
        let url = server.streamURL("anew").patient
        let broadcast = try Broadcast(url)
        try await broadcast.connect()
        try await broadcast.publish(contentsOf: (1...count).map(String.init), to: "c")
        let before = try await broadcast.history(of: "c").messages
        let place = try #require(before.last?.position)
        await broadcast.disconnect()
        try await server.control("delete_queue", "anew.c")
        let again = try Broadcast(url)
        try await again.connect()
        // The same texts at other places, and another one where the reader stood.
        try await again.publish(contentsOf: (1...9).map { "new \($0)" }, to: "c")
        var sight = Sight(try await again.subscribe(to: "c", history: .after(place)))
        #expect(try await sight.next().hasPrefix("gap"))
        #expect(try await sight.next() == "new 1")
        await again.disconnect()
    }

    @Test func aDeletedStreamIsNotSilent() async throws {
        let server = try await Self.node.value
        let broadcast = try Broadcast(server.streamURL("deleted").patient)
        try await broadcast.connect()
        try await broadcast.publish("1", to: "c")
        try await server.control("delete_queue", "deleted.c")
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("2", to: "c")
        }
        #expect("\(String(describing: error))".contains("was deleted"))
        try await broadcast.publish("3", to: "c")
        #expect(try await broadcast.history(of: "c").messages.map(\.text) == ["3"])
        await broadcast.disconnect()
    }

    /// RabbitMQ says by 406 that a queue has other arguments.
    @Test func otherArgumentsAreRefusedInWords() async throws {
        let server = try await Self.node.value
        let first = try Broadcast(server.streamURL("arguments").patient)
        try await first.connect()
        try await first.publish("1", to: "c")
        let url = server.url("?history=stream&stream_max_age=1h&exchange=arguments")
        let second = try Broadcast(url.patient)
        try await second.connect()
        for attempt in [
            { _ = try await second.subscribe(to: "c") }, { try await second.publish("x", to: "c") },
            { _ = try await second.history(of: "c") },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: BroadcastError.self) { try await attempt() }
            #expect("\(String(describing: error))".contains("inequivalent arg"), "\(error!)")
        }
        // What it may do goes on.
        try await second.publish("other", to: "d")
        #expect(try await second.history(of: "d").messages.map(\.text) == ["other"])
        await first.disconnect()
        await second.disconnect()
    }

    @Test func aTrimmedPlaceIsAGap() async throws {
        let server = try await Self.node.value
        let url = server.url("?history=stream&stream_max_bytes=1048576&exchange=trimmed")
        let broadcast = try Broadcast(url.patient)
        try await broadcast.connect()
        try await broadcast.publish("first", to: "c")
        let first = try await broadcast.history(of: "c").messages
        let place = try #require(first.first?.position)
        let long = String(repeating: "x", count: 10_000)
        for _ in 0..<10 {
            try await broadcast.publish(contentsOf: Array(repeating: long, count: 50), to: "c")
        }
        var sight = Sight(try await broadcast.subscribe(to: "c", history: .after(place)))
        #expect(try await sight.next().hasPrefix("gap"))
        let next = try await sight.next()
        #expect(next == long, "\(next.prefix(200))")
        await broadcast.disconnect()
    }

    @Test func theCommandShowsTheLastAndThenWhatComes() async throws {
        let server = try await Self.node.value
        let url = server.streamURL("command")
        for number in 1...4 {
            let publisher = try ServerProcess(
                [Programs.broadcast, "publish", "--url", url, "chat", "\(number)"])
            #expect(await publisher.waitForExit() == 0)
        }
        let subscriber = try ServerProcess(
            [
                Programs.broadcast, "subscribe", "--url", url, "--history", "2", "--count", "3",
                "chat",
            ],
            mergesErrors: false)
        #expect(await subscriber.line(containing: "4") != nil)
        let publisher = try ServerProcess(
            [Programs.broadcast, "publish", "--url", url, "chat", "5"])
        #expect(await publisher.waitForExit() == 0)
        #expect(await subscriber.remainingLines() == ["5"])
        #expect(await subscriber.waitForExit() == 0)
    }
}
