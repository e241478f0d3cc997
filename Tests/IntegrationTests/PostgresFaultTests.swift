import Broadcaster
import BroadcasterTestSupport
import Glibc
import Synchronization
import Testing

/// The rows of the fault matrix in the DocC article `Faults`, on a real Postgres.
@Suite(
    .takesTurns, .enabled(if: Programs.areAvailable(Programs.postgres), "needs postgresql"),
    .serialized, .timeLimit(.minutes(5)))
struct PostgresFaultTests {
    private func connected(
        _ url: String, log: (@Sendable (BroadcastLogEntry) -> Void)? = nil
    ) async throws -> Broadcast {
        // A test may run on a machine that is busy with all the others.
        var options = BroadcastOptions()
        options.log = log
        options.connectTimeout = .seconds(60)
        options.publishTimeout = .seconds(60)
        options.subscribeTimeout = .seconds(60)
        let broadcast = try Broadcast(url.patient, options: options)
        try await broadcast.connect()
        return broadcast
    }

    @Test func aServerThatHangsIsGivenUpAndWhatWasSentIsUnknown() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(
            server.url("scram", "?ping=2s&publish_timeout=1s&application_name=victim"))
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        let pid = try await server.sql(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'victim'"
        ).first
        let process = try #require(pid.flatMap { Int32($0) })
        // The one process that serves the client.
        await send(SIGSTOP, to: process)
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("x", to: "other")
        }
        let isUnknown = if case .outcomeUnknown? = error { true } else { false }
        #expect(isUnknown, "\(String(describing: error))")
        #expect(try await sight.next().hasPrefix("gap"))
        kill(process, SIGCONT)
        try await broadcast.publish("after", to: "c")
        #expect(try await sight.next() == "after")
        await broadcast.disconnect()
    }

    /// 57P05 ends a connection that is idle, and so is one that only listens.
    @Test func anIdleSessionThatIsEndedIsAGapAndASignOfLifeKeepsIt() async throws {
        let server = try await PostgresServer(["idle_session_timeout=700"])
        let idle = try await connected(server.url())
        let alive = try await connected(server.url("scram", "?ping=150ms"))
        let kept = try await alive.subscribe(to: "c")
        var sight = Sight(try await idle.subscribe(to: "c"))
        let gap = try await sight.next()
        #expect(gap.hasPrefix("gap") && gap.contains("57P05"), "\(gap)")
        #expect(alive.statistics.reconnects == 0)
        kept.cancel()
        await idle.disconnect()
        await alive.disconnect()
    }

    @Test func tooManyClientsHeal() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url("scram", "?application_name=victim"))
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        try await server.sql("ALTER ROLE scram CONNECTION LIMIT 0")
        try await server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        )
        await broadcast.waitFor { status in
            guard case .down(let error, _) = status else { return false }
            return error.description.contains("53300")
        }
        try await server.sql("ALTER ROLE scram CONNECTION LIMIT -1")
        #expect(try await sight.next().hasPrefix("gap"))
        await broadcast.disconnect()
    }

    @Test func aChangedPasswordIsSaidAndNotHammered() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url("scram", "?application_name=victim"))
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        try await server.sql("ALTER ROLE scram PASSWORD 'new'")
        try await server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        )
        await broadcast.waitFor { status in
            guard case .down(.authenticationFailed, let delay) = status else { return false }
            #expect(delay >= .seconds(4), "from the first attempt on")
            return true
        }
        try await server.sql("ALTER ROLE scram PASSWORD 'secret'")
        #expect(try await sight.next().hasPrefix("gap"))
        await broadcast.disconnect()
    }

    /// The client takes the next host when the first becomes a standby's, and then the first again.
    @Test func aHostThatHasBecomeAStandbyIsPassedOver() async throws {
        let first = try await PostgresServer()
        let second = try await PostgresServer()
        let broadcast = try await connected(
            "postgres://scram:secret@127.0.0.1:\(first.port),127.0.0.1:\(second.port)/postgres")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        await first.stop()
        try await first.becomeStandby()
        try await first.start()
        #expect(try await sight.next().hasPrefix("gap"))
        try await second.sql("NOTIFY c, 'from the second'")
        #expect(try await sight.next() == "from the second")
        await broadcast.disconnect()
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.pgbouncer), "needs pgbouncer"))
    func aPoolerThatRestartsIsOneGap() async throws {
        let server = try await PostgresServer()
        let pooler = try await PgBouncer(before: server, mode: "session")
        let broadcast = try await connected(pooler.url)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        await pooler.stop()
        try await pooler.start()
        #expect(try await sight.next().hasPrefix("gap"))
        try await broadcast.publish("after", to: "c")
        #expect(try await sight.next() == "after")
        await broadcast.disconnect()
    }

    /// Postgres 17 and later can have a small queue. A listener that stays in a transaction fills it.
    @Test(.enabled(if: PostgresServer.hasQueueLimit, "needs Postgres 17 or later"))
    func aFullQueueIsSaidAndHeals() async throws {
        let server = try await PostgresServer(["max_notify_queue_pages=64"])
        let lines = Mutex<[String]>([])
        let broadcast = try await connected(server.url()) { line in
            lines.withLock { $0.append("\(line)") }
        }
        let sleeper = try ServerProcess([
            Programs.postgresFolder + "/psql", "-Xq", "-h", server.folder, "-p", "\(server.port)",
            "-U", "admin", "postgres",
        ])
        sleeper.write("LISTEN other;\nBEGIN;\nSELECT 1;\n\\echo ready\n")
        #expect(await sleeper.line(containing: "ready") != nil)
        var failure: BroadcastError?
        for number in 0..<200 where failure == nil {
            let payload = "\(number) " + String(repeating: "x", count: 7900)
            do {
                try await broadcast.publish(payload, to: "c")
            } catch {
                failure = error
            }
        }
        #expect(failure?.description.contains("54000") == true, "\(String(describing: failure))")
        let warnings = lines.withLock { $0 }
        #expect(warnings.contains { $0.contains("queue is") && $0.contains("full") }, "\(warnings)")
        sleeper.write("COMMIT;\n\\echo done\n")
        #expect(await sleeper.line(containing: "done") != nil)
        // The listener has caught up; the session asks for the queue's use, and sends the message again, once.
        while failure != nil {
            do {
                try await broadcast.publish("again", to: "c")
                failure = nil
            } catch {}
        }
        await broadcast.disconnect()
    }

    @Test func aStormLeavesNothingBehind() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url())
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
                    if number % 3 == 0 { reading.cancel() } else { subscription?.cancel() }
                    _ = await reading.result
                }
            }
        }
        while broadcast.statistics.subscribers > 0 { await lookAgain() }
        #expect(broadcast.statistics.published == 1000)
        await broadcast.disconnect()
    }
}
