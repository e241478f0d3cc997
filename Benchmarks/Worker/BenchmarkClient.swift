import Broadcaster

/// The workloads' use of the library: with buffers in which everything has room, since a dropped message would be
/// cheap.
enum BenchmarkClient {
    static let everything = SubscriptionBuffer(messages: 2_000_000, bytes: 1 << 30)

    static func connect(_ arguments: WorkerArguments) async throws -> Broadcast {
        var options = BroadcastOptions()
        // The deadlines are not measured; 100,000 channels on a busy machine take their time.
        options.subscribeTimeout = .seconds(60)
        options.publishTimeout = .seconds(60)
        options.buffer = everything
        let broadcast = try Broadcast(try arguments.text("url"), options: options)
        try await broadcast.connect()
        return broadcast
    }

    /// The executor of the tasks: with `on=loop`, the thread that serves the connection; otherwise none in
    /// particular.
    static func executor(
        _ arguments: WorkerArguments, _ broadcast: Broadcast
    ) -> (any TaskExecutor)? {
        (try? arguments.text("on")) == "loop" ? broadcast.executor : nil
    }

    /// A text of this many bytes.
    static func payload(_ size: Int) -> String {
        String(repeating: "x", count: size)
    }

    static func name(of channel: Int, in channels: Int) -> String {
        channels == 1 ? "bench" : "bench-\(channel)"
    }

    /// Checks that no message was dropped and no connection lost; otherwise the figures would be of less than they
    /// say.
    static func checkNothingLost(_ broadcast: Broadcast) throws {
        let statistics = broadcast.statistics
        guard statistics.dropped == 0, statistics.reconnects == 0 else {
            throw WorkerError(
                "\(statistics.dropped) messages were dropped, and the connection was lost"
                    + " \(statistics.reconnects) times")
        }
    }
}
