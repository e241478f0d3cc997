import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// Subscriptions where a real Postgres does not do what was asked, or does it late.
@Suite(
    .takesTurns, .enabled(if: Programs.areAvailable(Programs.postgres), "needs postgresql"),
    .serialized, .timeLimit(.minutes(5)))
struct PostgresListenFaultTests {
    private func connected(_ url: String) async throws -> Broadcast {
        var options = BroadcastOptions()
        options.connectTimeout = .seconds(60)
        options.publishTimeout = .seconds(60)
        options.subscribeTimeout = .seconds(60)
        let broadcast = try Broadcast(url.patient, options: options)
        try await broadcast.connect()
        return broadcast
    }

    /// A role that may not NOTIFY may LISTEN all the same, also on coming back.
    @Test func aRoleThatMayOnlyListenSubscribes() async throws {
        let server = try await PostgresServer()
        try await server.sql("REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM public")
        let broadcast = try await connected(server.url("scram", "?application_name=victim"))
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("x", to: "c")
        }
        let isDenied = if case .permissionDenied? = error { true } else { false }
        #expect(isDenied, "\(String(describing: error))")
        try await server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        )
        #expect(try await sight.next().hasPrefix("gap"))
        try await server.sql("NOTIFY c, 'heard'")
        #expect(try await sight.next() == "heard")
        await broadcast.disconnect()
    }

    /// The lock of NOTIFY is held by a commit that waits for a standby which is not there.
    @Test func aStatementThatWaitsForALockIsCancelled() async throws {
        let server = try await PostgresServer([
            "synchronous_standby_names=ghost", "synchronous_commit=local",
        ])
        try await server.sql("CREATE TABLE t (i int)")
        let holder = try ServerProcess([
            Programs.postgresFolder + "/psql", "-X", "-h", server.folder, "-p", "\(server.port)",
            "-U", "admin", "-c", "SET synchronous_commit = on", "-c",
            "BEGIN; INSERT INTO t VALUES (1); SELECT pg_notify('z', '1'); COMMIT", "postgres",
        ])
        let held =
            "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND granted"
            + " AND mode = 'AccessExclusiveLock'"
        while try await server.sql(held).first != "1" {}
        let broadcast = try await connected(
            server.url("scram", "?ping=400ms&application_name=victim"))
        let subscription = try await broadcast.subscribe(to: "c")
        for _ in 0..<3 {
            let error = await #expect(throws: BroadcastError.self) {
                try await broadcast.publish("x", to: "c")
            }
            let isLater = if case .temporarilyRefused? = error { true } else { false }
            #expect(
                isLater && error?.description.contains("57014") == true,
                "\(String(describing: error))")
        }
        #expect(broadcast.statistics.reconnects == 0)
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'victim'"
        #expect(try await server.sql(sessions).first == "1")
        // The command says "later", and leaves nothing behind.
        let command = try ServerProcess([
            Programs.broadcast, "publish", "--url",
            server.url("scram", "?publish_timeout=300ms&application_name=command"), "c", "x",
        ])
        _ = await command.waitForExit()
        let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'command'"
        while try await server.sql(left).first != "0" {}
        holder.signal(SIGTERM)
        subscription.cancel()
        await broadcast.disconnect()
    }

    /// A pooler that comes back in transaction mode cannot do what it did before, and may be put right again.
    @Test(.enabled(if: Programs.areAvailable(Programs.pgbouncer), "needs pgbouncer"))
    func aPoolerThatComesBackInTransactionModeEndsNoSubscription() async throws {
        let server = try await PostgresServer()
        let pooler = try await PgBouncer(before: server, mode: "session")
        let broadcast = try await connected(pooler.url)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        await pooler.stop()
        try pooler.configure(before: server, mode: "transaction")
        try await pooler.start()
        await broadcast.waitFor { status in
            guard case .down(let error, _) = status else { return false }
            return error.description.contains("transaction mode")
        }
        await pooler.stop()
        try pooler.configure(before: server, mode: "session")
        try await pooler.start()
        #expect(try await sight.next().hasPrefix("gap"))
        try await broadcast.publish("after", to: "c")
        #expect(try await sight.next() == "after")
        await broadcast.disconnect()
    }

    /// A name of 61 bytes in UTF-8 that has more than 63 in the server's encoding.
    @Test func aNameThatTheServerCutsIsRefused() async throws {
        let server = try await PostgresServer()
        try await server.sql(
            "CREATE DATABASE ja ENCODING 'EUC_JP' TEMPLATE template0 LOCALE 'C'")
        let url = "postgres://scram:secret@127.0.0.1:\(server.port)/ja"
        let broadcast = try await connected(url)
        let long = String(repeating: "ā", count: 30) + "x"
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: long)
        }
        let isRefused = if case .refused? = error { true } else { false }
        #expect(
            isRefused && error?.description.contains("42622") == true,
            "\(String(describing: error))")
        var sight = Sight(try await broadcast.subscribe(to: String(repeating: "ā", count: 21)))
        try await broadcast.publish("x", to: String(repeating: "ā", count: 21))
        #expect(try await sight.next() == "x")
        await broadcast.disconnect()
    }
}
