/// The work of `FanOutWork` in memory, on the hub made of AsyncStreams.
struct StreamHubWork {
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
        let hub = StreamHub()
        let streams = (0..<subscribers).map { _ in hub.subscribe(to: "bench") }
        let bytes = await withTaskGroup(of: Int.self) { group in
            for stream in streams {
                group.addTask { await receive(stream) }
            }
            let meter = Meter()
            Meter.say("ready")
            for _ in 0..<count { hub.publish(text, to: "bench") }
            let bytes = await group.reduce(0, +)
            meter.report(messages: count * subscribers)
            return bytes
        }
        guard bytes == count * subscribers * text.utf8.count else {
            throw WorkerError("the streams carried \(bytes) bytes")
        }
    }

    private func receive(_ stream: AsyncStream<StreamHub.Message>) async -> Int {
        var (left, bytes) = (count, 0)
        for await message in stream {
            bytes += message.text.utf8.count
            left -= 1
            if left == 0 { break }
        }
        return bytes
    }
}
