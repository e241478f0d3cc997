import BroadcasterTestSupport

/// A cluster of three masters with a replica each, and three pairs of a publisher and a subscriber, each pair on a channel of
/// another node: the messages a second of the whole, classic and sharded.
struct ClusterWorkloads {
    private let bench: Bench
    private let cluster: RedisCluster

    init(_ bench: Bench, _ cluster: RedisCluster) {
        self.bench = bench
        self.cluster = cluster
    }

    func run() async throws {
        let channels = try await cluster.channels().map(\.channel)
        let count = bench.options.count(300_000)
        let subjects = [("classic", ""), ("sharded", "sharded=true")].map { name, query in
            bench.worker(
                name, count: count, "receive", "url=\(cluster.url(query))", "size=64", "actor=none",
                "reading=bytes")
        }
        try await bench.measure(
            Measurement(
                title: "Three channels in a cluster of 3 + 3 nodes, 64 B × \(count) each",
                subjects: subjects,
                metrics: [.rate, .cpuPerMessage],
                targets: [.atLeast(1, .rate, of: "sharded", times: "classic")],
                sampling: { subject in try await sample(subject, channels) }))
    }

    private func sample(
        _ subject: Measurement.Subject, _ channels: [String]
    ) async throws -> Sample {
        let url = subject.words.first { $0.hasPrefix("url=") } ?? ""
        var receivers: [ServerProcess] = []
        defer { for process in receivers { Children.forget(process) } }
        for channel in channels {
            let process = try Children.start(subject.words + ["channel=\(channel)"])
            receivers.append(process)
            for await line in process.lines where line == "ready" { break }
        }
        let publishers = try channels.map { channel in
            try Children.start([
                bench.peers.worker, "publish", url, "size=64", "tasks=1000", "by=contentsOf",
                "channel=\(channel)", "count=\(subject.count)",
            ])
        }
        defer { for process in publishers { Children.forget(process) } }
        var (seconds, cpu, messages) = (0.0, 0.0, 0.0)
        for process in receivers {
            let lines = await process.remainingLines()
            guard let one = lines.compactMap(Sample.init).first else {
                throw BenchmarkError("\(subject.name): \(lines.suffix(5).joined(separator: "\n"))")
            }
            seconds = max(seconds, one["seconds"] ?? 0)
            cpu += one["cpu_us"] ?? 0
            messages += one["messages"] ?? 0
        }
        return Sample(values: ["messages": messages, "seconds": seconds, "cpu_us": cpu])
    }
}
