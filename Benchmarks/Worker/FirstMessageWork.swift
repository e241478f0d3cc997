import Broadcaster

/// The smallest subscriber: connects, subscribes, and reports its first message.
struct FirstMessageWork {
    private let url: String

    init(_ arguments: WorkerArguments) throws {
        url = try arguments.text("url")
    }

    func run() async throws {
        let broadcast = try Broadcast(url)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "bench")
        try await broadcast.publish("hello", to: "bench")
        for try await message in subscription {
            Meter.say(message.text)
            break
        }
        Meter().report(messages: 1)
    }
}
