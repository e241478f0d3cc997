import Broadcaster

/// A subscriber with the default buffer that takes nothing before all has come.
struct SlowWork {
    private let arguments: WorkerArguments
    private let count: Int

    init(_ arguments: WorkerArguments) throws {
        self.arguments = arguments
        count = try arguments.number("count")
    }

    @concurrent
    func run() async throws {
        let broadcast = try Broadcast(try arguments.text("url"))
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "bench")
        let meter = Meter()
        Meter.say("ready")
        while broadcast.statistics.received < count { try await Task.sleep(for: .milliseconds(1)) }
        meter.report(messages: count)
        subscription.cancel()
        await broadcast.disconnect()
    }
}
