import BroadcasterTestSupport

/// The growth of a message's cost with the number of channels, subscribers and publishers, and with the message's
/// size. It should grow with the size alone.
struct ScalingWorkloads {
    private let bench: Bench
    private let redis: RedisWorkloads?
    /// The largest ratio that still counts as flat.
    private static let flat = 1.3

    init(_ bench: Bench, _ server: RedisServer?) {
        self.bench = bench
        redis = server.map { RedisWorkloads(bench, $0) }
    }

    func run() async throws {
        try await subscribers()
        guard let redis else { return print("\nscale: the rest skipped, no redis-server") }
        try await channels(redis)
        try await sizes(redis)
        try await publishers(redis)
    }

    private func subscribers() async throws {
        let deliveries = bench.options.count(1_000_000)
        try await draw(
            "subscribers", "Local subscribers in memory, CPU a delivery",
            [1, 10, 100, 1000, 10_000],
            flatFrom: 10
        ) { name, subscribers in
            bench.worker(
                name, count: max(deliveries / subscribers, 1), "fan-out", "url=memory://",
                "subscribers=\(subscribers)", "size=64", "feed=self")
        }
    }

    private func channels(_ redis: RedisWorkloads) async throws {
        let count = bench.options.count(200_000)
        let numbers = [1, 10, 100, 1000, 10_000, 100_000]
        try await draw(
            "channels", "Channels, CPU a message to a random one", numbers, flatFrom: 1,
            feed: { try await redis.feed(channels: $0, size: 64)($1) },
            subject: { name, channels in
                bench.worker(
                    name, count: count, "channels", redis.url, "channels=\(channels)", "size=64",
                    "by=one")
            })
    }

    private func sizes(_ redis: RedisWorkloads) async throws {
        let numbers = (2...10).map { 1 << ($0 * 2) }
        let (count, bytes) = (bench.options.count(500_000), bench.options.count(512 << 20))
        try await draw(
            "sizes", "Bytes of a message, CPU a message", numbers,
            feed: { try await redis.feed(channels: 1, size: $0)($1) },
            subject: { name, size in
                bench.worker(
                    name, count: min(count, max(bytes / size, 1)), "receive", redis.url,
                    "size=\(size)", "reading=count", "actor=none")
            })
    }

    private func publishers(_ redis: RedisWorkloads) async throws {
        let count = bench.options.count(100_000)
        try await draw(
            "publishers", "Publishers at the same time, CPU a message", [1, 10, 100, 1000, 10_000]
        ) { name, tasks in
            bench.worker(
                name, count: tasks == 1 ? count / 10 : count, "publish", redis.url,
                "tasks=\(tasks)", "size=64", "by=task")
        }
    }

    /// Measures with a line for each number, and draws the chart.
    private func draw(
        _ file: String, _ title: String, _ numbers: [Int], flatFrom: Int? = nil,
        feed: (@Sendable (_ number: Int, _ count: Int) async throws -> Void)? = nil,
        subject: (String, Int) -> Measurement.Subject
    ) async throws {
        let names = numbers.map(Table.grouped)
        var targets: [Target] = []
        if let flatFrom {
            let base = Table.grouped(flatFrom)
            for (name, number) in zip(names, numbers) where number > flatFrom {
                targets.append(
                    .atMost(ScalingWorkloads.flat, .cpuPerMessage, of: name, times: base))
            }
        }
        let subjects = zip(names, numbers).map(subject)
        let byName = Dictionary(uniqueKeysWithValues: zip(names, numbers))
        var measurement = Measurement(title: title, subjects: subjects, targets: targets)
        measurement.sampling = { [bench] subject in
            try await bench.run(subject, title: title) { count in
                try await feed?(byName[subject.name] ?? 1, count)
            }
        }
        let outcome = try await bench.measure(measurement)
        let points = zip(names, numbers).compactMap { name, number in
            outcome.median(.cpuPerMessage, of: name).map { Chart.Point(x: Double(number), y: $0) }
        }
        let chart = Chart(title: title, unit: "µs", points: points)
        print(chart.text)
        try chart.write(to: "\(PeerPrograms.root)/.build/benchmarks", name: file)
    }
}
