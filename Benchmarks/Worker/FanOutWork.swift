import Broadcaster

/// One channel and many local subscribers, each in a task of its own, that each receive every message.
///
/// `feed=self` publishes from a task of this process; `feed=server` waits for messages of another.
struct FanOutWork {
    private let arguments: WorkerArguments
    private let count: Int
    private let subscribers: Int
    private let text: String

    init(_ arguments: WorkerArguments) throws {
        self.arguments = arguments
        count = try arguments.number("count")
        subscribers = try arguments.number("subscribers")
        text = BenchmarkClient.payload(try arguments.number("size"))
    }

    @concurrent
    func run() async throws {
        let broadcast = try await BenchmarkClient.connect(arguments)
        var subscriptions: [Subscription] = []
        for _ in 0..<subscribers {
            subscriptions.append(try await broadcast.subscribe(to: "bench"))
        }
        let feedsItself = try arguments.text("feed") == "self"
        let deliveries = try await withThrowingTaskGroup(of: Int.self) { group in
            for subscription in subscriptions {
                group.addTask { try await receive(subscription) }
            }
            let meter = Meter()
            Meter.say("ready")
            if feedsItself {
                for _ in 0..<count { try await broadcast.publish(text, to: "bench") }
            }
            let bytes = try await group.reduce(0, +)
            meter.report(messages: count * subscribers)
            return bytes / text.utf8.count
        }
        try BenchmarkClient.checkNothingLost(broadcast)
        guard deliveries == count * subscribers else {
            throw WorkerError("\(deliveries) deliveries in place of \(count * subscribers)")
        }
        await broadcast.disconnect()
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
}
