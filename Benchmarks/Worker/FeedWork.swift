import Broadcaster

/// Publishes for other programs, if there is no C compiler for the publisher in C.
struct FeedWork {
    private let arguments: WorkerArguments
    private let count: Int
    private let channels: Int
    private let text: String
    private static let tasks = 1000

    init(_ arguments: WorkerArguments) throws {
        self.arguments = arguments
        count = try arguments.number("count")
        channels = try arguments.number("channels")
        text = BenchmarkClient.payload(try arguments.number("size"))
    }

    @concurrent
    func run() async throws {
        let broadcast = try await BenchmarkClient.connect(arguments)
        var random = SystemRandomNumberGenerator()
        for start in stride(from: 0, to: count, by: FeedWork.tasks) {
            let size = min(FeedWork.tasks, count - start)
            if channels == 1 {
                try await broadcast.publish(
                    contentsOf: repeatElement(text, count: size), to: "bench")
                continue
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<size {
                    let channel = Int.random(in: 0..<channels, using: &random)
                    group.addTask { [text] in
                        let name = BenchmarkClient.name(of: channel, in: channels)
                        try await broadcast.publish(text, to: name)
                    }
                }
                try await group.waitForAll()
            }
        }
        await broadcast.disconnect()
    }
}
