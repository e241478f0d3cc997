import BroadcasterTestSupport

/// W14: a history in Postgres's tables, beside plain NOTIFY, and beside libpq with the same SQL.
extension PostgresWorkloads {
    func history() async throws {
        let kept = server.url("admin", "?history=bench_messages&max_length=400000")
        try await Children.run([Programs.broadcast, "migrate", "--apply", "--url", kept])
        try await receiveHistory(kept, count: bench.options.count(200_000))
        try await publishHistory(kept, 1, count: bench.options.count(20_000), peer: "libpq")
        try await publishHistory(
            kept, 64, count: bench.options.count(100_000), peer: "libpq pipelined")
    }

    private func receiveHistory(_ kept: String, count: Int) async throws {
        func own(_ name: String, _ url: String) -> Measurement.Subject {
            bench.worker(
                name, count: count, "receive", "url=\(url)", "size=64", "reading=count",
                "actor=none")
        }
        let plain = server.url("admin")
        let peer = bench.peers.libpq
        try await bench.measure(
            Measurement(
                title: "W14 receive a history of Postgres, 64 B × \(count), 100 a transaction",
                subjects: [
                    own("history", kept), own("NOTIFY", plain),
                    bench.peers.native(
                        "libpq", peer, count: count, ["history-receive", plain, "\(count)", "64"]),
                    bench.peers.native(
                        "libpq NOTIFY", peer, count: count, ["receive", plain, "\(count)", "64"]),
                ], feed: { [server] count in try await publish(count, on: server) }))
    }

    /// Each message by NOTIFY and into the table, by Postgres itself.
    private func publish(_ count: Int, on server: PostgresServer) async throws {
        let said = try await server.sql(
            """
            DO $$ BEGIN FOR lowest IN 0..\(count - 1) BY 100 LOOP
            PERFORM pg_notify('bench', lpad(number::text, 64, '0'))
            FROM generate_series(lowest, least(lowest + 99, \(count - 1))) number;
            PERFORM bench_messages_publish('bench', (SELECT array_agg(lpad(number::text, 64, '0')::bytea)
            FROM generate_series(lowest, least(lowest + 99, \(count - 1))) number));
            COMMIT; END LOOP; END $$
            """)
        guard said.isEmpty else { throw BenchmarkError(said.joined(separator: "\n")) }
    }

    private func publishHistory(
        _ kept: String, _ tasks: Int, count: Int, peer: String
    ) async throws {
        func own(_ name: String, _ url: String) -> Measurement.Subject {
            bench.worker(
                name, count: count, "publish", "url=\(url)", "tasks=\(tasks)", "size=64", "by=task",
                "text=different")
        }
        let plain = server.url("admin")
        try await bench.measure(
            Measurement(
                title: "W14 publish to a history of Postgres, \(tasks) at once, 64 B × \(count)",
                subjects: [
                    own("history", kept), own("NOTIFY", plain),
                    bench.peers.native(
                        peer, bench.peers.libpq, count: count,
                        ["history-publish", plain, "\(tasks)", "\(count)", "64"]),
                ], metrics: [.rate, .cpuPerMessage, .peak]))
    }
}
