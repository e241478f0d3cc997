import BroadcasterTestSupport

/// W13: receiving from Redis Streams and publishing to them, beside PUB/SUB and beside loops over XREAD.
struct StreamWorkloads: Sendable {
    private let plain: RedisWorkloads
    private var bench: Bench { plain.bench }
    private var url: String { "redis-stream://127.0.0.1:\(plain.port)" }

    init(_ plain: RedisWorkloads) {
        self.plain = plain
    }

    func run() async throws {
        try await receive(channels: 1, count: bench.options.count(400_000))
        try await receive(channels: 1000, count: bench.options.count(200_000))
        try await publish(1, count: bench.options.count(20_000))
        try await publish(64, count: bench.options.count(200_000))
    }

    private func receive(channels: Int, count: Int) async throws {
        let (number, total) = ("\(channels)", "\(count)")
        try await bench.measure(
            Measurement(
                title: "W13 receive from \(channels) streams, 64 B × \(count)",
                subjects: [
                    bench.worker(
                        "streams", count: count, "channels", "url=\(url)", "channels=\(channels)",
                        "size=64", "by=one"),
                    bench.peers.native(
                        "hiredis", bench.peers.hiredis, count: count,
                        ["stream-channels", plain.port, number, total, "64"]),
                    bench.peers.python("redis-py", count: count) {
                        ["redis-stream-receive", plain.server.url, "\($0)", "64", number]
                    },
                ], feed: feed(channels: channels)))
    }

    private func feed(channels: Int) -> @Sendable (Int) async throws -> Void {
        let (port, publisher) = (plain.port, bench.peers.publisher)
        return { count in
            guard case .program(let path) = publisher else {
                throw BenchmarkError("no publisher without a C compiler")
            }
            try await Children.run([path, port, "\(channels)", "\(count)", "64", "stream"])
        }
    }

    private func publish(_ tasks: Int, count: Int) async throws {
        func own(_ name: String, _ url: String) -> Measurement.Subject {
            bench.worker(
                name, count: count, "publish", "url=\(url)", "tasks=\(tasks)", "size=64",
                "by=task")
        }
        try await bench.measure(
            Measurement(
                title: "W13 publish to a stream, \(tasks) at once, 64 B × \(count)",
                subjects: [
                    own("streams", url), own("PUBLISH", plain.server.url),
                    bench.peers.native(
                        "hiredis", bench.peers.hiredis, count: count,
                        ["stream-publish", plain.port, "\(tasks)", "\(count)", "64"]),
                    bench.peers.python("redis-py", count: count) {
                        ["redis-stream-publish", plain.server.url, "\($0)", "64", "\(tasks)"]
                    },
                ], metrics: [.rate, .cpuPerMessage, .peak]))
    }
}
