import Broadcaster
import Glibc

/// Subscribes to many channels, and receives messages that come on random ones of them.
///
/// `by=one` is one subscription to all, `by=each` a subscription and a task for each channel.
struct ChannelsWork {
    private let arguments: WorkerArguments
    private let channels: Int
    private let count: Int
    private let size: Int

    init(_ arguments: WorkerArguments) throws {
        self.arguments = arguments
        channels = try arguments.number("channels")
        count = try arguments.number("count")
        size = try arguments.number("size")
    }

    @concurrent
    func run() async throws {
        let broadcast = try await BenchmarkClient.connect(arguments)
        let names = (0..<channels).map { BenchmarkClient.name(of: $0, in: channels) }
        let isOne = try arguments.text("by") == "one"
        let memory = Meter.memory("VmRSS:")
        let start = Meter.read(CLOCK_MONOTONIC)
        let subscriptions =
            isOne
            ? [try await broadcast.subscribe(to: names)]
            : try await subscribeToEach(names, broadcast)
        let seconds = Meter.read(CLOCK_MONOTONIC) - start
        let bytes = Double(Meter.memory("VmRSS:") - memory) * 1024 / Double(channels)
        let meter = Meter()
        Meter.say("ready")
        let received =
            isOne ? try await receive(subscriptions[0]) : try await receive(subscriptions)
        meter.report(
            messages: count, ["subscribe_s": seconds, "bytes_per_subscription": bytes])
        try BenchmarkClient.checkNothingLost(broadcast)
        guard received == count * size else {
            throw WorkerError("received \(received) bytes in place of \(count * size)")
        }
        await broadcast.disconnect()
    }

    /// Subscribes to all at the same time, as many clients would.
    private func subscribeToEach(
        _ names: [String], _ broadcast: Broadcast
    ) async throws -> [Subscription] {
        try await withThrowingTaskGroup(of: Subscription.self) { group in
            for name in names {
                group.addTask { try await broadcast.subscribe(to: name) }
            }
            var all: [Subscription] = []
            all.reserveCapacity(names.count)
            for try await subscription in group { all.append(subscription) }
            return all
        }
    }

    private func receive(_ subscription: Subscription) async throws -> Int {
        var (left, bytes) = (count, 0)
        for try await message in subscription {
            bytes += message.count
            left -= 1
            if left == 0 { break }
        }
        return bytes
    }

    /// Receives until the last message. No task knows the number of messages of its channel: the one that takes the
    /// last message ends all.
    private func receive(_ subscriptions: [Subscription]) async throws -> Int {
        let tally = Tally(expecting: count)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for subscription in subscriptions {
                group.addTask {
                    for try await message in subscription where tally.add(message.count) {
                        for other in subscriptions { other.cancel() }
                    }
                }
            }
            try await group.waitForAll()
            return tally.bytes
        }
    }
}
