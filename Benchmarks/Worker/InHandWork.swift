import Broadcaster

/// Publishes in memory and receives in the same task from the subscribers' buffers: the cost of hub and mailbox if no
/// task ever waits.
struct InHandWork {
    private let count: Int
    private let subscribers: Int
    private let text: String

    init(_ arguments: WorkerArguments) throws {
        count = try arguments.number("count")
        subscribers = try arguments.number("subscribers")
        text = BenchmarkClient.payload(try arguments.number("size"))
    }

    @concurrent
    func run() async throws {
        let broadcast = try Broadcast("memory://")
        try await broadcast.connect()
        var iterators: [Subscription.Iterator] = []
        for _ in 0..<subscribers {
            iterators.append(try await broadcast.subscribe(to: "bench").makeAsyncIterator())
        }
        var bytes = 0
        let meter = Meter()
        for _ in 0..<count {
            try await broadcast.publish(text, to: "bench")
            for index in iterators.indices {
                bytes += try await iterators[index].next()?.count ?? 0
            }
        }
        meter.report(messages: count * subscribers)
        guard bytes == count * subscribers * text.utf8.count else {
            throw WorkerError("received \(bytes) bytes")
        }
    }
}
