import BroadcasterTestSupport

/// Parts of the library on their own: decoders, hub and mailbox; and the decoders' instructions, which do
/// not depend on the machine's other work.
struct MicroWorkloads {
    private let bench: Bench

    init(_ bench: Bench) {
        self.bench = bench
    }

    func decode() async throws {
        let count = bench.options.count(2_000_000)
        try await measure(
            "Decoder alone, 64 B × \(count)",
            [
                bench.worker(
                    "Redis, RESP3", count: count, "decode", "backend=redis", "size=64"),
                bench.worker("Postgres", count: count, "decode", "backend=postgres", "size=64"),
            ])
        try await measure(
            "Decoder alone, 1 KiB × \(count / 10)",
            [
                bench.worker(
                    "Redis, RESP3", count: count / 10, "decode", "backend=redis", "size=1024"),
                bench.worker(
                    "Postgres", count: count / 10, "decode", "backend=postgres", "size=1024"),
            ])
    }

    func hub() async throws {
        let count = bench.options.count(1_000_000)
        try await measure(
            "Publish in memory and take in the same task, a delivery",
            [1, 10, 1000].map { subscribers in
                bench.worker(
                    "\(subscribers) subscribers", count: max(count / subscribers, 1), "in-hand",
                    "subscribers=\(subscribers)", "size=64")
            })
    }

    /// A node is lost in each second, and its channels go to its replica.
    func router() async throws {
        let channels = bench.options.count(1_000_000)
        try await bench.measure(
            Measurement(
                title: "A node of a cluster is lost, \(Table.grouped(channels)) channels",
                subjects: [10, 100, 1000].map { nodes in
                    bench.worker(
                        "\(Table.grouped(nodes)) nodes", count: 60, "cluster-router",
                        "nodes=\(nodes)", "channels=\(channels)")
                }, metrics: [.milliseconds, .megabytes, .peak]))
    }

    private func measure(_ title: String, _ subjects: [Measurement.Subject]) async throws {
        try await bench.measure(
            Measurement(title: title, subjects: subjects, metrics: [.nanoseconds, .rate, .peak]))
    }

    // MARK: Instructions

    private static let few = 1000
    private static let many = 21_000

    /// Subtracts two runs of different length: the work before the first message cancels out.
    func instructions() async throws {
        guard Programs.exists("/usr/bin/valgrind") else {
            return print("\ncallgrind: skipped, no valgrind")
        }
        try await bench.measure(
            Measurement(
                title: "Instructions a message, decoder alone, 64 B (callgrind)",
                subjects: ["redis", "postgres"].map { backend in
                    bench.worker(backend, count: 1, "decode", "backend=\(backend)", "size=64")
                }, metrics: [.instructions],
                sampling: { subject in
                    let few = try await MicroWorkloads.count(subject, MicroWorkloads.few)
                    let many = try await MicroWorkloads.count(subject, MicroWorkloads.many)
                    return Sample(values: [
                        "instructions": (many.instructions - few.instructions)
                            / (many.messages - few.messages)
                    ])
                }))
    }

    private static func count(
        _ subject: Measurement.Subject, _ messages: Int
    ) async throws -> (instructions: Double, messages: Double) {
        let process = try Children.start(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
                + subject.words.dropLast() + ["count=\(messages)"])
        defer { Children.forget(process) }
        let lines = await process.remainingLines()
        let collected = lines.first { $0.contains("Collected") }?.split(separator: " ").last
        guard let instructions = collected.flatMap({ Double($0) }),
            let decoded = lines.compactMap(Sample.init).first?["messages"]
        else {
            throw BenchmarkError("callgrind: " + lines.suffix(5).joined(separator: "\n"))
        }
        return (instructions, decoded)
    }
}
