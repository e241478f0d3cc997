import Broadcaster
import Glibc

/// Publishes, awaits the reply, and awaits its own message.
struct RoundTripWork {
    private let arguments: WorkerArguments
    private let count: Int
    private let text: String
    private let channel: String

    init(_ arguments: WorkerArguments) throws {
        self.arguments = arguments
        count = try arguments.number("count")
        text = BenchmarkClient.payload(try arguments.number("size"))
        channel = (try? arguments.text("channel")) ?? "bench"
    }

    /// `on=loop` runs the task on the thread that serves the connection; `beside=NAME` takes what comes on that channel
    /// meanwhile.
    @concurrent
    func run() async throws {
        let broadcast = try await BenchmarkClient.connect(arguments)
        if let other = try? arguments.text("beside") {
            let others = try await broadcast.subscribe(to: other)
            Task { for try await _ in others {} }
            Meter.say("ready")
        }
        try await withTaskExecutorPreference(BenchmarkClient.executor(arguments, broadcast)) {
            try await run(broadcast)
        }
        await broadcast.disconnect()
    }

    private func run(_ broadcast: Broadcast) async throws {
        let subscription = try await broadcast.subscribe(to: channel)
        var messages = subscription.makeAsyncIterator()
        var times: [Double] = []
        times.reserveCapacity(count)
        let meter = Meter()
        for _ in 0..<count {
            let start = Meter.read(CLOCK_MONOTONIC)
            try await broadcast.publish(text, to: channel)
            guard let message = try await messages.next(), message.count == text.utf8.count else {
                throw WorkerError("the message did not come back as it was sent")
            }
            times.append((Meter.read(CLOCK_MONOTONIC) - start) * 1e6)
        }
        times.sort()
        meter.report(
            messages: count,
            ["p50_us": times[count / 2], "p99_us": times[min(count * 99 / 100, count - 1)]])
        try BenchmarkClient.checkNothingLost(broadcast)
    }
}
