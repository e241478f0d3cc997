import Broadcaster
import BroadcasterTestSupport
import Testing

/// Where a subscription may begin, and where it may not.
@Suite(.takesTurns, .timeLimit(.minutes(3))) struct HistoryStartTests {
    /// Without a server: refused before anything is sent, and before anybody connects.
    @Test(arguments: [
        "redis://127.0.0.1:1", "postgres://127.0.0.1:1/d", "amqp://127.0.0.1:1", "memory://",
    ])
    func noHistoryIsSaidBeforeAnythingIsSent(url: String) async throws {
        let broadcast = try Broadcast(url)
        #expect(!broadcast.keepsHistory)
        let place = try #require(MessagePosition("1795586786732-2"))
        let refill = SubscriptionBuffer(messages: 8, overflow: .refill)
        for call in [
            { _ = try await broadcast.subscribe(to: "c", history: .last(3)) },
            { _ = try await broadcast.subscribe(to: "c", history: .after(place)) },
            { _ = try await broadcast.subscribe(to: "c", buffer: refill) },
            { _ = try await broadcast.history(of: "c") },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: BroadcastError.self) { try await call() }
            guard case .historyUnsupported? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    @Test func patternsHaveNoHistory() async throws {
        let broadcast = try Broadcast("memory://?history=10")
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: ["c"], patterns: ["d*"], history: .last(1))
        }
        guard case .historyUnsupported? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    /// A position of another kind of server is refused where it is given.
    @Test(arguments: [
        ("memory://?history=10", "1795586786732-2"), ("redis-stream://127.0.0.1:1", "3f9a01:17-0"),
        ("postgres://127.0.0.1:1/d?history=m", "1795586786732-2"),
    ])
    func aForeignPositionIsRefusedAtOnce(url: String, text: String) async throws {
        let broadcast = try Broadcast(url)
        let place = try #require(MessagePosition(text))
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: "c", history: .after(place))
        }
        guard case .invalid(let words)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(words.contains(text))
    }

    /// Memory is another after a restart of the program: its positions are not taken for those of this one.
    @Test func anotherProcessIsAnotherMemory() async throws {
        let (old, new) = (
            try Broadcast("memory://?history=10"), try Broadcast("memory://?history=10")
        )
        try await old.connect()
        try await new.connect()
        try await old.publish(contentsOf: ["1", "2"], to: "c")
        let place = try #require(try await old.history(of: "c").messages.last?.position)
        try await new.publish(contentsOf: ["a", "b", "c"], to: "c")
        var sight = Sight(try await new.subscribe(to: "c", history: .after(place)))
        #expect(try await sight.all(upTo: "c") == ["gap reset", "a", "b", "c"])
        await old.disconnect()
        await new.disconnect()
    }

    // MARK: By time

    /// Reads the last ten minutes by a program whose clock is an hour ahead.
    private func listen(_ url: String) async throws -> [String] {
        let process = try ServerProcess(
            [
                "/usr/bin/env", "LD_PRELOAD=\(Programs.fakeTime)", "DONT_FAKE_MONOTONIC=1",
                "FAKETIME=+1h", "FAKETIME_SHARED=none none", Programs.broadcast, "subscribe",
                "--url", url, "--since", "10m", "--count", "2", "c",
            ], mergesErrors: false)
        return await process.remainingLines()
    }

    @Test(
        .enabled(
            if: Programs.areAvailable(Programs.redis, Programs.redisCLI, Programs.fakeTime),
            "needs redis-server and libfaketime"))
    func theTimeIsThatOfRedis() async throws {
        let server = try await RedisServer()
        let now = try #require(Int(try await server.command("TIME").first ?? ""))
        for minutes in [20, 5, 1] {
            let id = "\((now - minutes * 60) * 1000)-1"
            _ = try await server.command("XADD", "c", id, "message", "\(minutes)")
        }
        let broadcast = try Broadcast(server.streamURL.patient)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c", history: .since(.seconds(600)))
        #expect(try await subscription.take(2).map(\.text) == ["5", "1"])
        #expect(try await listen(server.streamURL) == ["5", "1"])
        await broadcast.disconnect()
    }

    @Test(
        .enabled(
            if: Programs.areAvailable(Programs.postgres, Programs.fakeTime),
            "needs postgresql and libfaketime"))
    func theTimeIsThatOfPostgres() async throws {
        let server = try await PostgresServer()
        let broadcast = try Broadcast(server.historyURL.patient)
        try await broadcast.migrate()
        try await broadcast.connect()
        for minutes in [20, 5, 1] {
            try await broadcast.publish("\(minutes)", to: "c")
            try await server.sql(
                "UPDATE messages SET created = clock_timestamp() - interval '\(minutes) minutes'"
                    + " WHERE payload = '\(minutes)'::bytea")
        }
        let subscription = try await broadcast.subscribe(to: "c", history: .since(.seconds(600)))
        #expect(try await subscription.take(2).map(\.text) == ["5", "1"])
        #expect(try await listen(server.historyURL) == ["5", "1"])
        await broadcast.disconnect()
    }
}
