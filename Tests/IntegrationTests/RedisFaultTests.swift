import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// The rows of the fault matrix in the DocC article `Faults`, on a real redis-server.
@Suite(
    .takesTurns,
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
    .serialized, .timeLimit(.minutes(5)))
struct RedisFaultTests {
    static let protocols = ["protocol=3", "protocol=2"]

    /// A test may run on a machine that is busy with all the others.
    private static let patience = "publish_timeout=60s&connect_timeout=60s"

    private func connected(
        to port: UInt16, _ query: String, login: String = ""
    ) async throws -> Broadcast {
        var options = BroadcastOptions()
        options.subscribeTimeout = .seconds(60)
        options.connectTimeout = .seconds(60)
        let broadcast = try Broadcast(
            "redis://\(login)127.0.0.1:\(port)?\(query)", options: options)
        try await broadcast.connect()
        return broadcast
    }

    // MARK: The server ends

    @Test(arguments: [SIGTERM, SIGKILL], protocols)
    func aServerThatEndsIsOneGapWhenItIsBack(signal: Int32, query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(to: server.port, "\(query)&\(Self.patience)")
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

    // MARK: The server hangs

    @Test(arguments: protocols)
    func aServerThatHangsIsGivenUpAndWhatWasSentIsUnknown(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(
            to: server.port, "\(query)&ping=300ms&publish_timeout=500ms")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
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

    @Test(arguments: protocols)
    func aShortHangIsNothingButDelay(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(to: server.port, "\(query)&\(Self.patience)")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        await server.signal(SIGSTOP, waits: false)
        async let publishing = broadcast.publish(contentsOf: ["1", "2", "3"], to: "c")
        await server.signal(SIGCONT, waits: false)
        #expect(try await sight.all(upTo: "3") == ["1", "2", "3"])
        #expect(try await publishing.map(\.receivers) == [1, 1, 1])
        #expect(broadcast.statistics.reconnects == 0)
        await broadcast.disconnect()
    }

    @Test(arguments: protocols)
    func aPausedServerAnswersLate(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(to: server.port, "\(query)&\(Self.patience)")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        _ = try await server.command("CLIENT", "PAUSE", "400", "ALL")
        try await broadcast.publish("late", to: "c")
        #expect(try await sight.next() == "late")
        #expect(broadcast.statistics.reconnects == 0)
        await broadcast.disconnect()
    }

    // MARK: The server refuses

    /// Redis ends the connection of a user who loses a channel that it is subscribed to.
    @Test(arguments: protocols)
    func aChannelThatIsForbiddenMeanwhileEndsAlone(query: String) async throws {
        let server = try await RedisServer()
        _ = try await server.command(
            "ACL", "SETUSER", "web", "on", ">pw", "+@all", "resetchannels", "&a", "&b")
        let broadcast = try await connected(to: server.port, query, login: "web:pw@")
        var kept = Sight(try await broadcast.subscribe(to: "a"))
        var lost = Sight(try await broadcast.subscribe(to: "b"))
        _ = try await server.command("ACL", "SETUSER", "web", "resetchannels", "&a")
        let error = await #expect(throws: BroadcastError.self) {
            while try await lost.next() != "end" {}
        }
        let isDenied = if case .permissionDenied? = error { true } else { false }
        #expect(isDenied, "\(String(describing: error))")
        #expect(try await kept.next().hasPrefix("gap"))
        #expect(try await broadcast.publish("x", to: "a").receivers == 1)
        #expect(try await kept.next() == "x")
        await broadcast.disconnect()
    }

    @Test(arguments: protocols)
    func aChangedPasswordIsSaidAndNotHammered(query: String) async throws {
        let server = try await RedisServer(["--requirepass", "old"])
        let broadcast = try await connected(to: server.port, query, login: ":old@")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        _ = try await server.command("-a", "old", "CONFIG", "SET", "requirepass", "new")
        _ = try await server.command("-a", "new", "CLIENT", "KILL", "TYPE", "pubsub")
        await broadcast.waitFor { status in
            guard case .down(.authenticationFailed, let delay) = status else { return false }
            #expect(delay >= .seconds(4), "from the first attempt on")
            return true
        }
        _ = try await server.command("-a", "new", "CONFIG", "SET", "requirepass", "old")
        #expect(try await sight.next().hasPrefix("gap"))
        await broadcast.disconnect()
    }

    @Test(arguments: protocols)
    func tooManyClientsHeal(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(to: server.port, query)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        // Holds the only place that is left.
        let holder = try ServerProcess([Programs.redisCLI, "-s", server.socketPath])
        holder.write("CONFIG SET maxclients 1\nCLIENT KILL TYPE pubsub\n")
        await broadcast.waitFor { status in
            guard case .down(let error, _) = status else { return false }
            return error.description.contains("max number of clients")
        }
        holder.write("CONFIG SET maxclients 100\n")
        #expect(try await sight.next().hasPrefix("gap"))
        await broadcast.disconnect()
    }

    // MARK: The server cuts

    /// One message beyond the limit, and Redis closes the connection without an error.
    @Test(arguments: protocols)
    func aClientCutForItsOutputBufferIsBack(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(to: server.port, query)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        _ = try await server.command(
            "CONFIG", "SET", "client-output-buffer-limit", "pubsub 64kb 0 0")
        let publisher = try await connected(to: server.port, Self.patience)
        try await publisher.publish([UInt8](repeating: 0x61, count: 8 << 20), to: "c")
        #expect(try await sight.next().hasPrefix("gap"))
        try await publisher.publish("small", to: "c")
        #expect(try await sight.next() == "small")
        await broadcast.disconnect()
        await publisher.disconnect()
    }

    /// `timeout` closes connections that only publish; over RESP2 that is one of the client's two.
    @Test func anIdlePublisherThatIsClosedIsAGap() async throws {
        let server = try await RedisServer(["--timeout", "1"])
        let broadcast = try await connected(to: server.port, "protocol=2")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        #expect(try await sight.next().hasPrefix("gap"))
        await broadcast.disconnect()
    }

    @Test func aSignOfLifeKeepsAnIdlePublisher() async throws {
        let server = try await RedisServer(["--timeout", "1"])
        let broadcast = try await connected(to: server.port, "protocol=2&ping=200ms")
        let subscription = try await broadcast.subscribe(to: "c")
        // The server's own clock: three of its seconds.
        _ = try await server.command("BLPOP", "nothing", "3")
        #expect(broadcast.statistics.reconnects == 0)
        subscription.cancel()
        await broadcast.disconnect()
    }

    @Test(arguments: protocols)
    func tenThousandChannelsComeBack(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(to: server.port, "\(query)&\(Self.patience)")
        let names = (0..<10_000).map { "channel-\($0)" }
        var sight = Sight(try await broadcast.subscribe(to: names))
        _ = try await server.command("CLIENT", "KILL", "TYPE", "pubsub")
        _ = try await broadcast.publish("not starved", to: "other")
        #expect(try await sight.next().hasPrefix("gap"))
        for name in ["channel-0", "channel-9999"] {
            #expect(try await broadcast.publish(name, to: name).receivers == 1)
            #expect(try await sight.next() == name)
        }
        await broadcast.disconnect()
    }

    // MARK: Failover

    /// The demoted master keeps the connection and answers every PING.
    @Test(arguments: protocols)
    func aDemotedMasterIsLeftForTheNewOne(query: String) async throws {
        let old = try await RedisServer()
        let new = try await RedisServer()
        let proxy = try FaultyProxy(toPort: old.port)
        let broadcast = try await connected(
            to: proxy.port, "\(query)&ping=300ms&\(Self.patience)")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        // The name leads to the new one; the old one becomes its replica.
        try proxy.redirect(toPort: new.port)
        _ = try await old.command("REPLICAOF", "127.0.0.1", "\(new.port)")
        #expect(try await sight.next().hasPrefix("gap"))
        _ = try await new.command("PUBLISH", "c", "from the new one")
        #expect(try await sight.next() == "from the new one")
        #expect(try await broadcast.publish("to the new one", to: "c").receivers == 1)
        await broadcast.disconnect()
    }

    @Test(arguments: protocols)
    func aReplicaServesSubscribersAndRefusesPublishers(query: String) async throws {
        let master = try await RedisServer(["--repl-diskless-sync-delay", "0"])
        let replica = try await RedisServer(["--replicaof", "127.0.0.1 \(master.port)"])
        let broadcast = try await connected(to: replica.port, query)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        while !(try await replica.command("INFO", "replication")
            .contains { $0.hasPrefix("master_link_status:up") })
        {
            await lookAgain()
        }
        _ = try await master.command("PUBLISH", "c", "replicated")
        #expect(try await sight.next() == "replicated")
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("x", to: "c")
        }
        #expect(error?.description.contains("replica") == true)
        await broadcast.disconnect()
    }

    // MARK: Many at once

    /// A thousand tasks that subscribe, publish, cancel and leave, while connections are killed.
    @Test(arguments: protocols)
    func aStormLeavesNothingBehind(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(to: server.port, "\(query)&\(Self.patience)")
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    let channel = "storm-\(number % 50)"
                    let subscription = try? await broadcast.subscribe(to: channel)
                    _ = try? await broadcast.publish("\(number)", to: channel)
                    let reading = Task {
                        guard let subscription else { return }
                        for try await _ in subscription {}
                    }
                    if number % 100 == 0 {
                        _ = try? await server.command("CLIENT", "KILL", "TYPE", "pubsub")
                    }
                    if number % 3 == 0 { reading.cancel() } else { subscription?.cancel() }
                    _ = await reading.result
                }
            }
        }
        while broadcast.statistics.subscribers > 0 { await lookAgain() }
        while try await server.command("PUBSUB", "CHANNELS", "storm-*").contains(where: {
            !$0.isEmpty
        }) {
            await lookAgain()
        }
        await broadcast.disconnect()
    }
}
