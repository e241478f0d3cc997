import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

/// Connections that are lost, rights that are missing and servers that refuse, where history is kept.
@Suite(.takesTurns, .timeLimit(.minutes(5))) struct HistoryFaultTests {
    private static let hasRedis = Programs.areAvailable(Programs.redis, Programs.redisCLI)
    private static let hasPostgres = Programs.areAvailable(Programs.postgres)

    // MARK: Lost connections

    /// Each connection lasts for a page or two of ten.
    private func readThroughCuts(_ url: (UInt16) -> String, port: UInt16) async throws {
        let direct = try Broadcast(url(port).patient)
        try await direct.connect()
        let texts = (1...10_000).map { "\($0)" }
        try await direct.publish(contentsOf: texts, to: "c")
        await direct.disconnect()
        let proxy = try FaultyProxy(toPort: port)
        let broadcast = try Broadcast(url(proxy.port).patient)
        try await broadcast.connect()
        proxy.set {
            $0.cutAfter = 130_000
            $0.cutsAgain = true
        }
        let subscription = try await broadcast.subscribe(to: "c", history: .all)
        #expect(try await subscription.take(10_000).map(\.text) == texts)
        #expect(broadcast.statistics.reconnects >= 2)
        proxy.set { $0 = FaultyProxy.Faults() }
        try await broadcast.publish("more", to: "c", retry: .atLeastOnce)
        #expect(try await subscription.take(1).map(\.text) == ["more"])
        await broadcast.disconnect()
    }

    @Test(.enabled(if: hasRedis, "needs redis-server"))
    func cutsInTheMiddleOfCatchingUpLoseNothingOfAStream() async throws {
        let server = try await RedisServer()
        try await readThroughCuts(
            { "redis-stream://127.0.0.1:\($0)?max_length=100000" }, port: server.port)
    }

    @Test(.enabled(if: hasPostgres, "needs postgresql"))
    func cutsInTheMiddleOfCatchingUpLoseNothingOfATable() async throws {
        let server = try await PostgresServer()
        try await Broadcast((server.historyURL + "&max_length=100000").patient).migrate()
        try await readThroughCuts(
            { "postgres://admin:secret@127.0.0.1:\($0)/postgres?history=messages" },
            port: server.port)
    }

    // MARK: Many at once

    /// A thousand have missed the same; the connection comes back, and they read one page.
    @Test(.enabled(if: hasRedis, "needs redis-server"))
    func aHerdReadsEachPageOnce() async throws {
        let server = try await RedisServer()
        let proxy = try FaultyProxy(toPort: server.port)
        let broadcast = try Broadcast("redis-stream://127.0.0.1:\(proxy.port)".patient)
        try await broadcast.connect()
        var herd: [Subscription] = []
        for _ in 0..<1000 { herd.append(try await broadcast.subscribe(to: "c")) }
        try await broadcast.publish("before", to: "c")
        for member in herd { #expect(try await member.take(1).map(\.text) == ["before"]) }
        proxy.set { $0.refuses = true }
        proxy.cut()
        let script = "for i = 1, 50 do redis.call('XADD', 'c', '*', 'message', i) end"
        _ = try await server.command("EVAL", script, "0")
        _ = try await server.command("CONFIG", "RESETSTAT")
        proxy.set { $0.refuses = false }
        let expected = (1...50).map { "\($0)" }
        for member in herd { #expect(try await member.take(50).map(\.text) == expected) }
        #expect(try await pagesRead(server) <= 10)
        // One after the other, as the browsers of a service that was restarted come back.
        let newest = try await broadcast.history(of: "c")
        let place = try #require(newest.messages.first?.position)
        _ = try await server.command("CONFIG", "RESETSTAT")
        for _ in 0..<200 {
            let one = try await broadcast.subscribe(to: "c", history: .after(place))
            #expect(try await one.take(50).map(\.text) == expected)
            one.cancel()
        }
        // Each is kept for two seconds.
        #expect(try await pagesRead(server) < 50)
        await broadcast.disconnect()
    }

    private func pagesRead(_ server: RedisServer) async throws -> Int {
        let statistics = try await server.command("INFO", "commandstats")
        let head = "cmdstat_xrange:calls="
        let line = try #require(statistics.first { $0.hasPrefix(head) })
        return try #require(Int(line.dropFirst(head.count).prefix { $0 != "," }))
    }

    // MARK: No bell

    /// XREAD may not be woken, or not be called at all: all is delivered, later.
    @Test(
        .enabled(if: hasRedis, "needs redis-server"),
        arguments: [["-@dangerous", "-@admin"], ["-xread"]])
    func withoutABellAllComesLater(rights: [String]) async throws {
        let server = try await RedisServer()
        let user = ["ACL", "SETUSER", "bell", "on", ">secret", "~*", "&*", "+@all"] + rights
        let client = try ServerProcess([Programs.redisCLI, "-s", server.socketPath] + user)
        #expect(await client.remainingLines() == ["OK"])
        let broadcast = try Broadcast(
            "redis-stream://bell:secret@127.0.0.1:\(server.port)".patient)
        try await broadcast.connect()
        for number in 0..<5 {
            let subscription = try await broadcast.subscribe(to: "c\(number)")
            try await broadcast.publish(contentsOf: ["1", "2"], to: "c\(number)")
            #expect(try await subscription.take(2).map(\.text) == ["1", "2"])
        }
        await broadcast.disconnect()
    }

    /// LISTEN is of no use there: the tables are looked at twice a minute.
    @Test(
        .enabled(
            if: hasPostgres && Programs.areAvailable(Programs.pgbouncer),
            "needs postgresql and pgbouncer"))
    func behindATransactionPoolerAllComesLater() async throws {
        let server = try await PostgresServer()
        try await Broadcast(server.historyURL.patient).migrate()
        let pooler = try await PgBouncer(before: server, mode: "transaction")
        let broadcast = try Broadcast((pooler.url + "?history=messages").patient)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        try await server.sql("SELECT messages_publish('c', ARRAY['one', 'two']::bytea[])")
        #expect(try await subscription.take(2).map(\.text) == ["one", "two"])
        await broadcast.disconnect()
    }

    /// A standby has the messages, and lets nobody listen.
    @Test(.enabled(if: hasPostgres, "needs postgresql"))
    func aStandbyIsRead() async throws {
        let server = try await PostgresServer()
        let before = try Broadcast(server.historyURL.patient)
        try await before.migrate()
        try await before.connect()
        try await before.publish(contentsOf: ["1", "2", "3"], to: "c")
        await before.disconnect()
        await server.stop()
        try await server.becomeStandby()
        try await server.start()
        let broadcast = try Broadcast(server.historyURL.patient)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c", history: .all)
        #expect(try await subscription.take(3).map(\.text) == ["1", "2", "3"])
        await broadcast.disconnect()
    }

    // MARK: Refusals

    @Test(.enabled(if: hasRedis, "needs redis-server"))
    func aFullMemoryIsARefusalForNow() async throws {
        let server = try await RedisServer()
        let broadcast = try Broadcast(server.streamURL.patient)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        try await broadcast.publish("1", to: "c")
        _ = try await server.command("CONFIG", "SET", "maxmemory", "1")
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("2", to: "c")
        }
        guard case .temporarilyRefused? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        _ = try await server.command("CONFIG", "SET", "maxmemory", "0")
        try await broadcast.publish("3", to: "c")
        #expect(try await subscription.take(2).map(\.text) == ["1", "3"])
        await broadcast.disconnect()
    }

    /// A master becomes a replica, and then a master again.
    @Test(.enabled(if: hasRedis, "needs redis-server"))
    func aReplicaPublishesNothing() async throws {
        let server = try await RedisServer()
        let broadcast = try Broadcast(
            server.streamURL + "?connect_timeout=60s&publish_timeout=2s")
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        try await broadcast.publish("1", to: "c")
        let nowhere = try FreePort.find()
        _ = try await server.command("REPLICAOF", "127.0.0.1", "\(nowhere)")
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("2", to: "c")
        }
        // Whatever it says of a later try, nothing was published.
        guard case .refused(let words)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(words.hasPrefix("READONLY"))
        _ = try await server.command("REPLICAOF", "NO", "ONE")
        await broadcast.waitFor { if case .ready = $0 { true } else { false } }
        _ = try await server.command("XADD", "c", "*", "message", "3")
        #expect(try await subscription.take(2).map(\.text) == ["1", "3"])
        await broadcast.disconnect()
    }

    /// Somebody holds the channel's row: that is told before the deadline makes the outcome unknown.
    @Test(.enabled(if: hasPostgres, "needs postgresql"))
    func aChannelThatIsLockedIsARefusalForNow() async throws {
        let server = try await PostgresServer()
        let url = server.historyURL + "&connect_timeout=60s&publish_timeout=10s"
        let broadcast = try Broadcast(url)
        try await broadcast.migrate()
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        try await broadcast.publish("1", to: "c")
        let holder = try ServerProcess([
            Programs.postgresFolder + "/psql", "-XAtq", "-h", server.folder, "-p",
            "\(server.port)", "-U", "admin", "postgres",
        ])
        holder.write("BEGIN; UPDATE messages_channels SET top = top; SELECT 'held';\n")
        #expect(await holder.line(containing: "held") != nil)
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("2", to: "c")
        }
        guard case .temporarilyRefused? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        holder.write("ROLLBACK;\n")
        holder.closeInput()
        _ = await holder.waitForExit()
        try await broadcast.publish("3", to: "c")
        #expect(try await subscription.take(2).map(\.text) == ["1", "3"])
        await broadcast.disconnect()
    }

    // MARK: Streams that go

    @Test(.enabled(if: hasRedis, "needs redis-server"))
    func aStreamThatExpiredWholeIsAGap() async throws {
        let server = try await RedisServer()
        let broadcast = try Broadcast(server.streamURL.patient)
        try await broadcast.connect()
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        try await broadcast.publish("1", to: "c")
        #expect(try await sight.next() == "1")
        _ = try await server.command("PEXPIRE", "c", "1")
        while try await server.command("EXISTS", "c") != ["0"] {}
        try await broadcast.publish("2", to: "c")
        #expect(try await sight.all(upTo: "2") == ["gap trimmed", "2"])
        await broadcast.disconnect()
    }

    /// One key is forbidden later: its subscriber ends, and the others go on.
    @Test(.enabled(if: hasRedis, "needs redis-server"))
    func aForbiddenStreamEndsAlone() async throws {
        let server = try await RedisServer()
        _ = try await server.command(
            "ACL", "SETUSER", "few", "on", ">secret", "~good", "~bad", "+@all")
        let broadcast = try Broadcast(
            "redis-stream://few:secret@127.0.0.1:\(server.port)".patient)
        try await broadcast.connect()
        let (good, bad) = (
            try await broadcast.subscribe(to: "good"), try await broadcast.subscribe(to: "bad")
        )
        _ = try await server.command("ACL", "SETUSER", "few", "resetkeys", "~good")
        _ = try await server.command("XADD", "good", "*", "message", "1")
        #expect(try await good.take(1).map(\.text) == ["1"])
        let error = await #expect(throws: BroadcastError.self) { _ = try await bad.take(1) }
        guard case .permissionDenied? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        _ = try await server.command("XADD", "good", "*", "message", "2")
        #expect(try await good.take(1).map(\.text) == ["2"])
        await broadcast.disconnect()
    }
}
