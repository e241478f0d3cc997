import Broadcaster

/// Messages of one channel, one after the other, in `for try await`.
///
/// `actor=main` iterates on the main actor, `actor=none` off it; `reading=text` makes a `String` of each.
struct ReceiveWork {
    private let arguments: WorkerArguments
    private let count: Int
    private let size: Int
    private let readsText: Bool

    init(_ arguments: WorkerArguments) throws {
        self.arguments = arguments
        count = try arguments.number("count")
        size = try arguments.number("size")
        readsText = try arguments.text("reading") == "text"
    }

    @MainActor
    func run() async throws {
        let broadcast = try await BenchmarkClient.connect(arguments)
        let subscription = try await broadcast.subscribe(to: "bench")
        let meter = Meter()
        Meter.say("ready")
        let isMain = try arguments.text("actor") == "main"
        let bytes =
            switch (isMain, readsText) {
            case (true, false): try await onMainActor(subscription)
            case (false, false): try await offMainActor(subscription)
            case (true, true): try await textsOnMainActor(subscription)
            case (false, true): try await textsOffMainActor(subscription)
            }
        meter.report(messages: count)
        try BenchmarkClient.checkNothingLost(broadcast)
        guard bytes == count * size else {
            throw WorkerError("received \(bytes) bytes in place of \(count * size)")
        }
        await broadcast.disconnect()
    }

    @MainActor
    private func onMainActor(_ subscription: Subscription) async throws -> Int {
        var (left, bytes) = (count, 0)
        for try await message in subscription {
            bytes += message.count
            left -= 1
            if left == 0 { break }
        }
        return bytes
    }

    @concurrent
    private func offMainActor(_ subscription: Subscription) async throws -> Int {
        var (left, bytes) = (count, 0)
        for try await message in subscription {
            bytes += message.count
            left -= 1
            if left == 0 { break }
        }
        return bytes
    }

    @MainActor
    private func textsOnMainActor(_ subscription: Subscription) async throws -> Int {
        var (left, bytes) = (count, 0)
        for try await message in subscription {
            bytes += message.text.utf8.count
            left -= 1
            if left == 0 { break }
        }
        return bytes
    }

    @concurrent
    private func textsOffMainActor(_ subscription: Subscription) async throws -> Int {
        var (left, bytes) = (count, 0)
        for try await message in subscription {
            bytes += message.text.utf8.count
            left -= 1
            if left == 0 { break }
        }
        return bytes
    }
}
