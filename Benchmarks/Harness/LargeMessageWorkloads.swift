import BroadcasterTestSupport

/// Messages of 4 KiB to 1 MiB on Redis: received, published, small ones beside them, and those that nobody takes.
struct LargeMessageWorkloads {
    private let redis: RedisWorkloads
    private var bench: Bench { redis.bench }
    private static let sizes = [(4096, 100_000), (65_536, 10_000), (1 << 20, 1000)]

    init(_ redis: RedisWorkloads) {
        self.redis = redis
    }

    func run() async throws {
        for (size, count) in LargeMessageWorkloads.sizes {
            try await receive(size, bench.options.count(count))
        }
        for (size, count) in LargeMessageWorkloads.sizes {
            try await publish(size, bench.options.count(count))
        }
        try await smallBesideLarge()
        try await slowSubscriber()
    }

    private func receive(_ size: Int, _ count: Int) async throws {
        let (number, length) = ("\(count)", "\(size)")
        let own = bench.worker(
            "Broadcast", count: count, "receive", redis.url, "size=\(size)", "reading=count",
            "actor=none")
        try await measure(
            "W1 receive, \(length) B × \(count)", own, count,
            ["receive", redis.port, number, length],
            python: "redis-receive", feed: redis.feed(channels: 1, size: size), length)
    }

    private func publish(_ size: Int, _ count: Int) async throws {
        let (number, length) = ("\(count)", "\(size)")
        let own = bench.worker(
            "Broadcast", count: count, "publish", redis.url, "tasks=8", "size=\(size)", "by=task")
        try await measure(
            "W2 publish, 8 at once, \(length) B × \(count)", own, count,
            ["publish", redis.port, "8", number, length], python: "redis-publish", length, "8")
    }

    private func measure(
        _ title: String, _ own: Measurement.Subject, _ count: Int, _ words: [String],
        python work: String, feed: (@Sendable (Int) async throws -> Void)? = nil, _ more: String...
    ) async throws {
        let hiredis = bench.peers.native("hiredis", bench.peers.hiredis, count: count, words)
        let python = bench.peers.python("redis-py", count: count) { [redis] in
            [work, redis.server.url, "\($0)"] + more
        }
        try await bench.measure(
            Measurement(
                title: title, subjects: [own, hiredis, python], feed: feed,
                targets: [
                    .atMost(1.1, .cpuPerMessage, of: own.name, times: hiredis.name),
                    .atLeast(0.9, .rate, of: own.name, times: hiredis.name),
                ]))
    }

    /// The connection is one: a small message waits for the large one before it.
    private func smallBesideLarge() async throws {
        let count = bench.options.count(2000)
        func own(_ name: String, _ more: String...) -> Measurement.Subject {
            Measurement.Subject(
                name: name,
                words: [
                    bench.peers.worker, "round-trip", redis.url, "size=64", "channel=small",
                    "count=\(count)",
                ] + more, count: count)
        }
        try await bench.measure(
            Measurement(
                title: "W4 publish, reply, own message, 64 B × \(count), beside messages of 1 MiB",
                subjects: [own("beside them", "beside=bench"), own("alone")],
                feed: { [redis] in try await redis.feed(channels: 1, size: 1 << 20)($0 / 4) },
                metrics: [.median, .tail, .cpuPerMessage, .peak]))
    }

    /// The default buffer has 1,024 messages and 8 MiB.
    private func slowSubscriber() async throws {
        let count = bench.options.count(1000)
        try await bench.measure(
            Measurement(
                title: "A subscriber that takes none of 1 MiB × \(count)",
                subjects: [bench.worker("Broadcast", count: count, "slow", redis.url)],
                feed: redis.feed(channels: 1, size: 1 << 20), metrics: [.peak, .rate],
                // It, what is on its way, and the program.
                targets: [.atMost(32, .peak, of: "Broadcast")]))
    }
}
