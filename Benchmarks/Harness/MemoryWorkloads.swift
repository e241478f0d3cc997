/// W8: without a server, against a hub written with AsyncStream.
struct MemoryWorkloads {
    private let bench: Bench

    init(_ bench: Bench) {
        self.bench = bench
    }

    func run() async throws {
        try await measure(subscribers: 1, count: bench.options.count(1_000_000), limit: 0.5)
        try await measure(subscribers: 1000, count: bench.options.count(1000), limit: 0.3)
    }

    private func measure(subscribers: Int, count: Int, limit: Double) async throws {
        try await bench.measure(
            Measurement(
                title: "W8 in memory, 1 to \(subscribers), 64 B × \(count), per delivery",
                subjects: [
                    bench.worker(
                        "Broadcast", count: count, "fan-out", "url=memory://",
                        "subscribers=\(subscribers)", "size=64", "feed=self"),
                    MemoryWorkloads.streamHub(bench, count, subscribers: subscribers),
                    bench.peers.python(
                        "Python broadcaster", count: subscribers == 1 ? count : count * 10
                    ) {
                        ["fan-out", "memory://", "\($0)", "64", "\(subscribers)", "self"]
                    },
                ],
                targets: [
                    .atMost(limit, .cpuPerMessage, of: "Broadcast", times: "AsyncStream hub")
                ]))
    }

    static func streamHub(
        _ bench: Bench, _ count: Int, subscribers: Int
    ) -> Measurement.Subject {
        var subject = bench.worker(
            "AsyncStream hub", count: count, "stream-hub", "subscribers=\(subscribers)", "size=64")
        subject.isPeer = true
        return subject
    }
}
