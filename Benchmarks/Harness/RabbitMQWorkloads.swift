import BroadcasterTestSupport

/// W11 and W12: on RabbitMQ, whose own cost does not count.
struct RabbitMQWorkloads {
    private let bench: Bench
    private let server: RabbitMQServer
    private var port: String { "\(server.port)" }
    private static let size = 64

    init(_ bench: Bench, _ server: RabbitMQServer) {
        self.bench = bench
        self.server = server
    }

    // MARK: W11

    func receive() async throws {
        let count = bench.options.count(400_000)
        // The server sends faster than anybody reads: nothing is to fall.
        let url = "url=\(server.url("?max_length=1000000"))"
        try await bench.measure(
            Measurement(
                title: "W11 receive from RabbitMQ, 64 B × \(count)",
                subjects: [
                    bench.worker(
                        "main actor", count: count, "receive", url, "size=64", "reading=count",
                        "actor=main"),
                    bench.worker(
                        "off it", count: count, "receive", url, "size=64", "reading=count",
                        "actor=none"),
                    bench.peers.native(
                        "librabbitmq", bench.peers.librabbitmq, count: count,
                        ["receive", port, "\(count)", "64"]),
                    bench.peers.rabbitPython("pika", count: count) {
                        ["pika-receive", server.url(), "\($0)", "64"]
                    },
                    bench.peers.rabbitPython("aio-pika", count: count) {
                        ["aio-pika-receive", server.url(), "\($0)", "64"]
                    },
                ], feed: { [bench, port] count in try await bench.peers.feedRabbit(port, count) },
                targets: [
                    .atMost(1.2, .cpuPerMessage, of: "main actor", times: "librabbitmq"),
                    .atMost(1.2, .cpuPerMessage, of: "off it", times: "librabbitmq"),
                    .atMost(0.2, .cpuPerMessage, of: "off it", times: "pika"),
                    .atMost(0.2, .cpuPerMessage, of: "off it", times: "aio-pika"),
                ]))
    }

    // MARK: W12

    /// Each message is confirmed by the server. Nobody listens, as for all peers.
    func publish() async throws {
        for (tasks, count) in [(1, 20_000), (64, 200_000), (1000, 200_000)] {
            try await publish(tasks, count: bench.options.count(count))
        }
    }

    private func publish(_ tasks: Int, count: Int) async throws {
        let url = server.url()
        try await bench.measure(
            Measurement(
                title: "W12 publish to RabbitMQ with confirms, \(tasks) at once, 64 B × \(count)",
                subjects: [
                    bench.worker(
                        "tasks", count: count, "publish", "url=\(url)", "tasks=\(tasks)",
                        "size=64", "by=task", "text=same", "on=any"),
                    bench.peers.native(
                        "librabbitmq", bench.peers.librabbitmq, count: count,
                        ["publish", port, "\(tasks)", "\(count)", "64"]),
                    bench.peers.rabbitPython("pika", count: count) {
                        ["pika-publish", url, "\($0)", "64"]
                    },
                    bench.peers.rabbitPython("aio-pika", count: count) {
                        ["aio-pika-publish", url, "\($0)", "64", "\(tasks)"]
                    },
                ], metrics: [.rate, .cpuPerMessage, .peak],
                targets: tasks == 1
                    ? []
                    : [
                        .atLeast(5, .rate, of: "tasks", times: "pika"),
                        .atLeast(5, .rate, of: "tasks", times: "aio-pika"),
                    ]))
    }
}
