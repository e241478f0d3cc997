import Broadcaster

/// Tasks that each publish and await, all on one connection; with `batch`, one task that publishes
/// that many by one call.
///
/// With `text=different` each task has a text of its own, as an application's differ: Postgres delivers equal ones of a
/// transaction once, so equal ones cannot share a commit.
struct PublishWork {
    private let arguments: WorkerArguments
    private let count: Int
    private let tasks: Int
    private let text: String
    private let areDifferent: Bool

    init(_ arguments: WorkerArguments) throws {
        self.arguments = arguments
        count = try arguments.number("count")
        tasks = try arguments.number("tasks")
        text = BenchmarkClient.payload(try arguments.number("size"))
        areDifferent = (try? arguments.text("text")) == "different"
    }

    func run() async throws {
        let broadcast = try await BenchmarkClient.connect(arguments)
        try await broadcast.publish("first", to: "bench")
        let isBatch = try arguments.text("by") == "contentsOf"
        try await withTaskExecutorPreference(BenchmarkClient.executor(arguments, broadcast)) {
            let meter = Meter()
            if isBatch {
                try await publishBatches(broadcast)
            } else {
                try await publishSingly(broadcast)
            }
            meter.report(messages: count)
        }
        guard broadcast.statistics.published == count + 1 else {
            throw WorkerError("published \(broadcast.statistics.published - 1) of \(count)")
        }
        await broadcast.disconnect()
    }

    @concurrent
    private func publishBatches(_ broadcast: Broadcast) async throws {
        for start in stride(from: 0, to: count, by: tasks) {
            let size = min(tasks, count - start)
            try await broadcast.publish(contentsOf: repeatElement(text, count: size), to: "bench")
        }
    }

    @concurrent
    private func publishSingly(_ broadcast: Broadcast) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                let share = count / tasks + (task < count % tasks ? 1 : 0)
                let own = areDifferent ? "\(task)" + text.dropFirst("\(task)".count) : text
                group.addTask {
                    for _ in 0..<share { try await broadcast.publish(own, to: "bench") }
                }
            }
            try await group.waitForAll()
        }
    }
}
