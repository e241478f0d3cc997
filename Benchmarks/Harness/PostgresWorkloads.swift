import BroadcasterTestSupport

/// W6 and W7: on Postgres, with fsync off.
struct PostgresWorkloads {
    let bench: Bench
    let server: PostgresServer
    /// The address of a user without a password: no login is measured.
    private var address: String { server.url("trusty") }
    private static let size = 64

    init(_ bench: Bench, _ server: PostgresServer) {
        self.bench = bench
        self.server = server
    }

    // MARK: W6

    func receive() async throws {
        let count = bench.options.count(200_000)
        let url = address
        try await bench.measure(
            Measurement(
                title: "W6 receive from Postgres, 64 B × \(count), 100 a transaction",
                subjects: [
                    bench.worker(
                        "Broadcast", count: count, "receive", "url=\(url)", "size=64",
                        "reading=count", "actor=none"),
                    bench.peers.native(
                        "libpq", bench.peers.libpq, count: count,
                        ["receive", url, "\(count)", "64"]),
                    bench.peers.python("asyncpg", count: count) {
                        ["asyncpg-receive", url, "\($0)", "64"]
                    },
                    bench.peers.python("Python broadcaster", count: count) {
                        ["receive", url, "\($0)", "64"]
                    },
                ], feed: { [server] count in try await notify(server, count) },
                targets: [.atMost(1.5, .cpuPerMessage, of: "Broadcast", times: "libpq")]))
    }

    /// Makes the notifications in Postgres itself: each unlike the others, since equal ones of a transaction would be
    /// one.
    private func notify(_ server: PostgresServer, _ count: Int) async throws {
        let said = try await server.sql(
            """
            DO $$ BEGIN FOR lowest IN 0..\(count - 1) BY 100 LOOP
            PERFORM pg_notify('bench', lpad(number::text, 64, '0'))
            FROM generate_series(lowest, least(lowest + 99, \(count - 1))) number;
            COMMIT; END LOOP; END $$
            """)
        guard said.isEmpty else { throw BenchmarkError(said.joined(separator: "\n")) }
    }

    /// 4 KiB is a notification; more comes in parts, which libpq does not know.
    func large() async throws {
        for (size, full) in [(4096, 20_000), (65_536, 2000), (1 << 20, 100)] {
            let (count, url) = (bench.options.count(full), address)
            func own(_ name: String, _ work: String, _ more: String...) -> Measurement.Subject {
                Measurement.Subject(
                    name: name,
                    words: [
                        bench.peers.worker, work, "url=\(url)", "size=\(size)", "count=\(count)",
                    ] + more, count: count)
            }
            var (receiving, publishing) = (
                [own("Broadcast", "receive", "reading=count", "actor=none")],
                [own("Broadcast", "publish", "tasks=8", "by=task", "text=different")]
            )
            if size < 8000 {
                let (number, length) = ("\(count)", "\(size)")
                let libpq = bench.peers.libpq
                receiving.append(
                    bench.peers.native(
                        "libpq", libpq, count: count, ["receive", url, number, length]))
                publishing.append(
                    bench.peers.native(
                        "libpq", libpq, count: count, ["publish", url, "8", number, length]))
            }
            let feeder = publishing[0].words
            try await bench.measure(
                Measurement(
                    title: "W6 receive from Postgres, \(size) B × \(count)", subjects: receiving,
                    feed: { _ in try await Children.run(feeder) },
                    targets: size < 8000
                        ? [.atMost(1.1, .cpuPerMessage, of: "Broadcast", times: "libpq")] : []))
            try await bench.measure(
                Measurement(
                    title: "W7 publish to Postgres, 8 at once, \(size) B × \(count)",
                    subjects: publishing))
        }
    }

    // MARK: W7

    func publish() async throws {
        try await publish(1, count: bench.options.count(20_000), peer: "libpq", limit: 0.7)
        try await publish(
            64, count: bench.options.count(200_000), peer: "libpq pipelined", limit: 3)
    }

    private func publish(_ tasks: Int, count: Int, peer: String, limit: Double) async throws {
        let url = address
        func own(_ name: String, on place: String) -> Measurement.Subject {
            bench.worker(
                name, count: count, "publish", "url=\(url)", "tasks=\(tasks)", "size=64",
                "by=task", "text=different", "on=\(place)")
        }
        let subjects = [own("tasks", on: "any"), own("on the loop", on: "loop")]
        try await bench.measure(
            Measurement(
                title: "W7 publish to Postgres, \(tasks) at once, 64 B × \(count)",
                subjects: subjects + [
                    bench.peers.native(
                        peer, bench.peers.libpq, count: count,
                        ["publish", url, "\(tasks)", "\(count)", "64"]),
                    bench.peers.python("asyncpg", count: count) {
                        ["asyncpg-publish", url, "\($0)", "64", "\(tasks)"]
                    },
                ], metrics: [.rate, .cpuPerMessage, .peak],
                targets: subjects.map { .atLeast(limit, .rate, of: $0.name, times: peer) }))
    }
}
