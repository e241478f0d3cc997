import BroadcasterTestSupport

/// The growth of a message's cost with the number of channels and of subscribers, which should be none.
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
    }

    private func subscribers() async throws {
        let deliveries = bench.options.count(1_000_000)
        try await measure(
            "Local subscribers in memory, CPU a delivery",
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
        try await measure(
            "Channels, CPU a message to a random one", numbers, flatFrom: 1,
            feed: { try await redis.feed(channels: $0, size: 64)($1) },
            subject: { name, channels in
                bench.worker(
                    name, count: count, "channels", redis.url, "channels=\(channels)", "size=64",
                    "by=one")
            })
    }

    /// Measures with a line for each number.
    private func measure(
        _ title: String, _ numbers: [Int], flatFrom: Int,
        feed: (@Sendable (_ number: Int, _ count: Int) async throws -> Void)? = nil,
        subject: (String, Int) -> Measurement.Subject
    ) async throws {
        let names = numbers.map(Table.grouped)
        let targets = zip(names, numbers).filter { $0.1 > flatFrom }.map { name, _ in
            Target.atMost(
                ScalingWorkloads.flat, .cpuPerMessage, of: name, times: Table.grouped(flatFrom))
        }
        let subjects = zip(names, numbers).map(subject)
        let byName = Dictionary(uniqueKeysWithValues: zip(names, numbers))
        var measurement = Measurement(title: title, subjects: subjects, targets: targets)
        measurement.sampling = { [bench] subject in
            try await bench.run(subject, title: title) { count in
                try await feed?(byName[subject.name] ?? 1, count)
            }
        }
        try await bench.measure(measurement)
    }
}
