import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// The rows of the fault matrix in the DocC article `Faults`, on a real RabbitMQ that these tests kill, stop and alarm: a
/// node of their own, which each test leaves as it found it.
@Suite(
    .takesTurns, .enabled(if: Programs.areAvailable(Programs.rabbitmq), "needs rabbitmq-server"),
    .serialized,
    .timeLimit(.minutes(5)))
struct RabbitMQFaultTests {
    private static let node = Task { try await RabbitMQServer() }

    private func connected(
        _ server: RabbitMQServer, _ query: String = "publish_timeout=200s"
    ) async throws -> Broadcast {
        var options = BroadcastOptions()
        options.subscribeTimeout = .seconds(60)
        options.connectTimeout = .seconds(60)
        let broadcast = try Broadcast(server.url("?\(query)"), options: options)
        try await broadcast.connect()
        return broadcast
    }

    /// Publishes until that is accepted, or until it is not.
    private func publish(
        _ text: String, to channel: String, until isAccepted: Bool, through broadcast: Broadcast
    ) async {
        while true {
            do {
                try await broadcast.publish(text, to: channel)
                if isAccepted { return }
            } catch {
                if !isAccepted { return }
            }
        }
    }

    @Test(arguments: [SIGTERM, SIGKILL])
    func aNodeThatEndsIsOneGapWhenItIsBack(signal: Int32) async throws {
        let server = try await Self.node.value
        let broadcast = try await connected(server)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        try await broadcast.publish("before", to: "c")
        #expect(try await sight.next() == "before")
        await server.signal(signal, waits: true)
        _ = await broadcast.waitUntilDown()
        async let waiting = broadcast.publish("waits", to: "other")
        try await server.start()
        #expect(try await sight.next().hasPrefix("gap reconnected"))
        #expect(try await waiting.receivers == 0)
        try await broadcast.publish("after", to: "c")
        #expect(try await sight.next() == "after")
        await broadcast.disconnect()
    }

    /// Neither a publisher nor a subscriber takes the other's connection with it.
    @Test func aQueueThatIsDeletedIsAGapAndNothingElse() async throws {
        let server = try await Self.node.value
        let broadcast = try await connected(server)
        var sight = Sight(try await broadcast.subscribe(to: "deleted"))
        try await broadcast.publish("before", to: "deleted")
        #expect(try await sight.next() == "before")
        for queue in try await server.control("list_queues", "name")
        where queue.hasPrefix("amq.gen") {
            try await server.control("delete_queue", queue)
        }
        let gap = try await sight.next()
        #expect(gap.contains("the server has cancelled our consumer"), "\(gap)")
        try await broadcast.publish("after", to: "deleted")
        #expect(try await sight.next() == "after")
        #expect(broadcast.statistics.reconnects == 0)
        await broadcast.disconnect()
    }

    @Test func aConnectionThatIsClosedByHandComesBack() async throws {
        let server = try await Self.node.value
        let broadcast = try await connected(server)
        var sight = Sight(try await broadcast.subscribe(to: "closed"))
        try await server.control("close_all_connections", "maintenance")
        let gap = try await sight.next()
        #expect(gap.contains("maintenance"), "\(gap)")
        try await broadcast.publish("after", to: "closed")
        #expect(try await sight.next() == "after")
        await broadcast.disconnect()
    }

    /// The exchange is declared anew for the next message.
    @Test func anExchangeThatIsDeletedIsDeclaredAgain() async throws {
        let server = try await Self.node.value
        let broadcast = try await connected(server, "exchange=fleeting&publish_timeout=60s")
        try await broadcast.publish("x", to: "c")
        try await server.control(
            "eval",
            "rabbit_exchange:delete(rabbit_misc:r(<<\"/\">>, exchange, <<\"fleeting\">>), false, <<\"test\">>)."
        )
        await #expect(throws: BroadcastError.self) { try await broadcast.publish("x", to: "c") }
        #expect(try await broadcast.publish("x", to: "c").receivers == 0)
        #expect(broadcast.statistics.reconnects == 0)
        await broadcast.disconnect()
    }

    /// The server has no memory left: publishers wait, and are told why; subscribers notice nothing.
    @Test func anAlarmHoldsPublishersAndNobodyElse() async throws {
        let server = try await Self.node.value
        let broadcast = try await connected(server, "publish_timeout=1s&ping=1s")
        var sight = Sight(try await broadcast.subscribe(to: "alarm"))
        try await broadcast.publish("before", to: "alarm")
        try await server.control("set_vm_memory_high_watermark", "0.0001")
        // The first message after it is the one that is not answered.
        var errors: [BroadcastError] = []
        while errors.count < 3 {
            do throws(BroadcastError) {
                try await broadcast.publish("x", to: "nobody")
            } catch {
                errors.append(error)
            }
        }
        #expect("\(errors[0])".contains("the outcome is unknown"), "\(errors)")
        #expect("\(errors[2])" == "disconnected: the server takes no messages: low on memory")
        // A connection that has never published goes on, also to a new channel.
        var other = Sight(try await broadcast.subscribe(to: "alarm 2"))
        _ = try await broadcast.ping()
        try await server.control("set_vm_memory_high_watermark", "0.4")
        await publish("after", to: "alarm", until: true, through: broadcast)
        try await broadcast.publish("after", to: "alarm 2")
        #expect(try await sight.all(upTo: "after") == ["before", "after"])
        #expect(try await other.next() == "after")
        #expect(broadcast.statistics.reconnects == 0)
        await broadcast.disconnect()
    }

    /// A blocked connection answers no goodbye.
    @Test func disconnectingDuringAnAlarmEnds() async throws {
        let server = try await Self.node.value
        let broadcast = try await connected(server, "publish_timeout=300ms")
        try await server.control("set_vm_memory_high_watermark", "0.0001")
        await publish("x", to: "c", until: false, through: broadcast)
        let start = ContinuousClock.now
        await broadcast.disconnect()
        #expect(ContinuousClock.now - start < .seconds(4))
        try await server.control("set_vm_memory_high_watermark", "0.4")
    }

    @Test func aNodeThatHangsIsGivenUpAndWhatWasSentIsUnknown() async throws {
        let server = try await Self.node.value
        let broadcast = try await connected(server, "ping=1s&publish_timeout=500ms")
        var sight = Sight(try await broadcast.subscribe(to: "hangs"))
        try await broadcast.publish("x", to: "other")
        await server.signal(SIGSTOP, waits: false)
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("x", to: "other")
        }
        let isUnknown = if case .outcomeUnknown? = error { true } else { false }
        #expect(isUnknown, "\(String(describing: error))")
        _ = await broadcast.waitUntilDown()
        await server.signal(SIGCONT, waits: false)
        #expect(try await sight.all(upTo: "gap").count == 1)
        await broadcast.disconnect()
    }

    @Test(arguments: [0, 200, 600, 1000, 1500, 2500])
    func cutsAnywhereInTheStreamAreGaps(bytes: Int) async throws {
        let server = try await Self.node.value
        let proxy = try FaultyProxy(toPort: server.port)
        let broadcast = try Broadcast("amqp://127.0.0.1:\(proxy.port)?publish_timeout=60s")
        try await broadcast.connect()
        var sight = Sight(try await broadcast.subscribe(to: "cuts"))
        proxy.set { $0.cutAfter = bytes }
        let publisher = try await connected(server)
        for number in 0..<20 { try await publisher.publish("\(number)", to: "cuts") }
        proxy.cut()
        // What is published while the queue is away is part of the gap.
        let ending = Task {
            while !Task.isCancelled {
                _ = try? await publisher.publish("end", to: "cuts")
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
        let seen = try await sight.all(upTo: "end")
        ending.cancel()
        await ending.value
        #expect(seen.contains { $0.hasPrefix("gap") })
        let numbers = seen.compactMap { Int($0) }
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
        await publisher.disconnect()
        await broadcast.disconnect()
    }
}
