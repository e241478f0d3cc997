import BroadcasterTestSupport

/// W15 and W16: on Tansu, whose own cost does not count.
struct KafkaWorkloads {
    private let bench: Bench
    private let server: TansuServer
    private var port: String { "\(server.port)" }
    private var address: String { "127.0.0.1:\(server.port)" }

    init(_ bench: Bench, _ server: TansuServer) {
        self.bench = bench
        self.server = server
    }

    // MARK: W15

    func receive() async throws {
        let count = bench.options.count(200_000)
        let url = "url=\(server.url)"
        // The topic is there before anybody listens.
        try await bench.peers.feedKafka(port, 1)
        try await bench.measure(
            Measurement(
                title: "W15 receive from Kafka, 64 B × \(count)",
                subjects: [
                    bench.worker(
                        "main actor", count: count, "receive", url, "size=64", "reading=count",
                        "actor=main"),
                    bench.worker(
                        "off it", count: count, "receive", url, "size=64", "reading=count",
                        "actor=none"),
                    bench.peers.native(
                        "librdkafka", bench.peers.librdkafka, count: count,
                        ["receive", port, "\(count)", "64"]),
                    bench.peers.kafkaPython("aiokafka", count: count) { [address] in
                        ["receive", address, "\($0)", "64"]
                    },
                ], feed: { [bench, port] count in try await bench.peers.feedKafka(port, count) },
                targets: [
                    .atMost(1, .cpuPerMessage, of: "main actor", times: "librdkafka"),
                    .atMost(1, .cpuPerMessage, of: "off it", times: "librdkafka"),
                ]))
    }

    // MARK: W16

    /// Each message is accepted by the broker. Nobody listens, as for all peers.
    func publish() async throws {
        for (tasks, count) in [(1, 10_000), (64, 100_000)] {
            try await publish(tasks, by: "task", count: bench.options.count(count))
        }
        try await publish(10_000, by: "contentsOf", count: bench.options.count(200_000))
    }

    private func publish(_ tasks: Int, by: String, count: Int) async throws {
        let name = by == "task" ? "tasks" : "contentsOf"
        let window = by == "task" ? tasks : 0
        try await bench.measure(
            Measurement(
                title: "W16 publish to Kafka, \(tasks) at once, 64 B × \(count)",
                subjects: [
                    bench.worker(
                        name, count: count, "publish", "url=\(server.url)", "tasks=\(tasks)",
                        "size=64", "by=\(by)", "text=same", "on=any"),
                    bench.peers.native(
                        "librdkafka", bench.peers.librdkafka, count: count,
                        ["publish", port, "\(window)", "\(count)", "64"]),
                    bench.peers.kafkaPython("aiokafka", count: count) { [address] in
                        ["publish", address, "\($0)", "64", "\(min(tasks, 1000))"]
                    },
                ], metrics: [.rate, .cpuPerMessage, .peak],
                targets: by == "task"
                    ? [] : [.atLeast(0.8, .rate, of: name, times: "librdkafka")]))
    }
}
