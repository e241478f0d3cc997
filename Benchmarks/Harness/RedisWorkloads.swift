import BroadcasterTestSupport

/// W1 to W5: on redis-server, whose own cost does not count.
struct RedisWorkloads: Sendable {
    let bench: Bench
    let server: RedisServer
    var port: String { "\(server.port)" }
    var url: String { "url=\(server.url)" }

    init(_ bench: Bench, _ server: RedisServer) {
        self.bench = bench
        self.server = server
    }

    // MARK: W1

    func receive() async throws {
        try await receive(size: 64, count: bench.options.count(1_000_000), limit: 0.75)
        try await receive(size: 1024, count: bench.options.count(200_000), limit: 1)
    }

    private func receive(size: Int, count: Int, limit: Double) async throws {
        func own(_ name: String, _ words: String...) -> Measurement.Subject {
            Measurement.Subject(
                name: name,
                words: [bench.peers.worker, "receive", url, "count=\(count)", "size=\(size)"]
                    + words, count: count)
        }
        var targets: [Target] = [
            .atMost(limit, .cpuPerMessage, of: "main actor", times: "hiredis"),
            .atMost(limit, .cpuPerMessage, of: "off it", times: "hiredis"),
            .atMost(12, .peak, of: "main actor"), .atMost(12, .peak, of: "off it"),
        ]
        if size == 64 {
            targets.append(.atMost(1.2, .cpuPerMessage, of: "main, text", times: "hiredis"))
            targets.append(.atMost(1.2, .cpuPerMessage, of: "off it, text", times: "hiredis"))
        }
        try await bench.measure(
            Measurement(
                title: "W1 receive, \(size) B × \(count)",
                subjects: [
                    own("main actor", "reading=count", "actor=main"),
                    own("off it", "reading=count", "actor=none"),
                    own("main, text", "reading=text", "actor=main"),
                    own("off it, text", "reading=text", "actor=none"),
                ] + receivingPeers(count: count, size: size),
                feed: feed(channels: 1, size: size), targets: targets))
    }

    private func receivingPeers(count: Int, size: Int) -> [Measurement.Subject] {
        let (number, length) = ("\(count)", "\(size)")
        return [
            bench.peers.native(
                "C", bench.peers.plain, count: count, ["receive", port, number, length]),
            bench.peers.native(
                "hiredis", bench.peers.hiredis, count: count, ["receive", port, number, length]),
            bench.peers.python("redis-py", count: count) {
                ["redis-receive", server.url, "\($0)", length]
            },
            bench.peers.python("Python broadcaster", count: count) {
                ["receive", server.url, "\($0)", length]
            },
        ]
    }

    /// Feeds from the publisher in C.
    func feed(channels: Int, size: Int) -> @Sendable (Int) async throws -> Void {
        let (port, publisher) = (port, bench.peers.publisher)
        return { count in
            guard case .program(let path) = publisher else {
                throw BenchmarkError("no publisher without a C compiler")
            }
            try await Children.run([path, port, "\(channels)", "\(count)", "\(size)"])
        }
    }

    // MARK: W2

    func publish() async throws {
        for (tasks, total, limit) in [(1, 20_000, 0.7), (64, 200_000, 0.6), (1000, 200_000, 0.35)] {
            try await publish(tasks, count: bench.options.count(total), limit: limit)
        }
    }

    private func publish(_ tasks: Int, count: Int, limit: Double) async throws {
        func own(_ name: String, by: String, on place: String = "any") -> Measurement.Subject {
            bench.worker(
                name, count: count, "publish", url, "tasks=\(tasks)", "size=64", "by=\(by)",
                "on=\(place)")
        }
        var subjects = [own("tasks", by: "task"), own("on the loop", by: "task", on: "loop")]
        var targets = subjects.map {
            Target.atLeast(limit, .rate, of: $0.name, times: "hiredis")
        }
        if tasks == 1000 {
            subjects.append(own("contentsOf", by: "contentsOf"))
            targets.append(.atLeast(0.9, .rate, of: "contentsOf", times: "hiredis"))
        }
        subjects.append(
            bench.peers.native(
                "hiredis", bench.peers.hiredis, count: count,
                ["publish", port, "\(tasks)", "\(count)", "64"]))
        for library in ["redis-py", "Python broadcaster"] {
            let work = library == "redis-py" ? "redis-publish" : "publish"
            subjects.append(
                // A connection a task: at 1,000 they would take a minute.
                bench.peers.python(library, count: tasks == 1000 ? count / 10 : count) {
                    [work, server.url, "\($0)", "64", "\(tasks)"]
                })
        }
        try await bench.measure(
            Measurement(
                title: "W2 publish, \(tasks) at once, 64 B × \(count)", subjects: subjects,
                metrics: [.rate, .cpuPerMessage, .peak], targets: targets))
    }

    // MARK: W3

    func fanOut() async throws {
        let count = bench.options.count(1000)
        try await bench.measure(
            Measurement(
                title: "W3 one channel to 1,000 local subscribers × \(count), per delivery",
                subjects: [
                    bench.worker(
                        "Broadcast", count: count, "fan-out", url, "subscribers=1000", "size=64",
                        "feed=server"), MemoryWorkloads.streamHub(bench, count, subscribers: 1000),
                    bench.peers.python("Python broadcaster", count: count * 10) {
                        ["fan-out", server.url, "\($0)", "64", "1000", "server"]
                    },
                ], feed: feed(channels: 1, size: 64),
                targets: [
                    .atMost(0.3, .cpuPerMessage, of: "Broadcast", times: "AsyncStream hub")
                ]))
    }

    // MARK: W4

    func roundTrip() async throws {
        let count = bench.options.count(10_000)
        try await bench.measure(
            Measurement(
                title: "W4 publish, reply, own message, 64 B × \(count)",
                subjects: [
                    bench.worker("Broadcast", count: count, "round-trip", url, "size=64"),
                    bench.worker(
                        "on the loop", count: count, "round-trip", url, "size=64", "on=loop"),
                    bench.peers.native(
                        "hiredis", bench.peers.hiredis, count: count,
                        ["round-trip", port, "\(count)", "64"]),
                    bench.peers.python("Python broadcaster", count: count) {
                        ["round-trip", server.url, "\($0)", "64"]
                    },
                ], metrics: [.median, .tail, .cpuPerMessage, .peak],
                targets: ["Broadcast", "on the loop"].map {
                    .atMost(1.35, .median, of: $0, times: "hiredis")
                }))
    }

    // MARK: W5

    func channels() async throws {
        let (channels, count) = (10_000, bench.options.count(200_000))
        let words = ["channels", port, "\(channels)", "\(count)", "64"]
        func own(_ name: String, by: String) -> Measurement.Subject {
            bench.worker(
                name, count: count, "channels", url, "channels=\(channels)", "size=64", "by=\(by)")
        }
        func native(_ name: String, _ program: PeerPrograms.Availability) -> Measurement.Subject {
            bench.peers.native(name, program, count: count, words)
        }
        let targets = ["one subscription", "10,000 of them"].flatMap { name -> [Target] in
            [
                .atMost(5, .subscribing, of: name, times: "C"),
                .atMost(700, .subscriptionSize, of: name),
                .atMost(1.5, .cpuPerMessage, of: name, times: "hiredis"),
            ]
        }
        try await bench.measure(
            Measurement(
                title: "W5 \(channels) channels, then 64 B × \(count) to random ones",
                subjects: [
                    own("one subscription", by: "one"), own("10,000 of them", by: "each"),
                    native("C", bench.peers.plain), native("hiredis", bench.peers.hiredis),
                ], feed: feed(channels: channels, size: 64),
                metrics: [.cpuPerMessage, .rate, .subscribing, .subscriptionSize, .peak],
                targets: targets))
    }
}
