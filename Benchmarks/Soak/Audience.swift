import Broadcaster
import BroadcasterTestSupport
import Synchronization

/// All subscribers of a soak: one to each channel, one to all, slow ones, and a visitor that comes and goes.
final class Audience: Sendable {
    private struct Seat {
        let subscriber: LoggingSubscriber
        /// Its channels; none for a pattern.
        let channels: [String]
        /// nil for one that leaves when its task is cancelled.
        let subscription: Subscription?
        let task: Task<Void, Never>
    }

    static let channels = (0..<8).map { "soak.\($0)" }
    /// The channel on which the visitor is alone, so that the client subscribes and unsubscribes whenever it comes or
    /// goes.
    static let visited = "soak.visited"

    private let broadcast: Broadcast
    private let folder: String
    private let visitor: LoggingSubscriber
    private let seats = Mutex<[Seat]>([])
    private let visits = Mutex(0)

    init(of broadcast: Broadcast, logsIn folder: String) throws {
        self.broadcast = broadcast
        self.folder = folder
        visitor = try LoggingSubscriber("visitor", in: folder)
    }

    /// The slow ones take half of their channels' messages.
    func arrive(at server: any SoakServer, _ seed: UInt64) async throws {
        let all = Self.channels
        for (number, channel) in all.enumerated() { try await seat("channel\(number)", [channel]) }
        try await seat("all", all)
        if server.hasPatterns { try await seat("pattern", all + [Self.visited], pattern: "soak.*") }
        let pause = Duration.seconds(1) * 16 * (all.count + 1) / server.publisherRate
        if server.keepsHistory {
            let buffer = SubscriptionBuffer(messages: 64, overflow: .refill)
            try await seat("slow", Array(all[..<2]), buffer: buffer, pause: pause)
            return try await seatReturning(Array(all[2..<4]), SeededRandom(seed: seed))
        }
        for (name, overflow) in [
            ("slow-oldest", SubscriptionBuffer.Overflow.dropOldest), ("slow-newest", .dropNewest),
        ] {
            let buffer = SubscriptionBuffer(messages: 64, overflow: overflow)
            try await seat(name, Array(all[..<2]), buffer: buffer, pause: pause)
        }
    }

    private func seat(
        _ name: String, _ channels: [String], pattern: String? = nil,
        buffer: SubscriptionBuffer? = nil, pause: Duration = .zero
    ) async throws {
        let subscriber = try LoggingSubscriber(name, in: folder, pause: pause)
        let subscription =
            if let pattern {
                try await broadcast.subscribe(toPatterns: pattern, buffer: buffer)
            } else {
                try await broadcast.subscribe(to: channels, patterns: [], buffer: buffer)
            }
        let task = Task { await subscriber.follow(subscription, to: channels) }
        seats.withLock {
            $0.append(
                Seat(
                    subscriber: subscriber, channels: subscription.channels,
                    subscription: subscription, task: task))
        }
    }

    private func seatReturning(_ channels: [String], _ random: SeededRandom) async throws {
        let subscriber = try LoggingSubscriber("returning", in: folder)
        let first = try await broadcast.subscribe(to: channels, patterns: [])
        let task = Task { [broadcast] in
            await subscriber.follow(first, returningTo: channels, on: broadcast, random)
        }
        seats.withLock {
            $0.append(
                Seat(subscriber: subscriber, channels: channels, subscription: nil, task: task))
        }
    }

    /// Comes and goes until the task is cancelled: to a channel of its own, and to one of all.
    func visit(_ random: SeededRandom) async {
        var random = random
        while !Task.isCancelled {
            let channels = [Self.visited, Self.channels[Int.random(in: 0..<8, using: &random)]]
            let stay = Duration.milliseconds(Int.random(in: 1...1500, using: &random))
            // The server does not confirm in the middle of a fault: then there is no visit.
            guard let subscription = try? await broadcast.subscribe(to: channels, patterns: [])
            else {
                try? await Task.sleep(for: .milliseconds(100))
                continue
            }
            visits.withLock { $0 += 1 }
            async let leaving: Void = { try? await Task.sleep(for: stay) }()
            let following = Task { [visitor] in
                await visitor.follow(subscription, to: channels, endsWith: .left)
            }
            await leaving
            subscription.cancel()
            await following.value
        }
    }

    /// Lets the slow subscribers read at full speed.
    func hurry() {
        for seat in seats.withLock({ $0 }) { seat.subscriber.hurry() }
    }

    /// The subscribers that have not received these numbers yet.
    func whoMisses(_ last: [String: Int]) -> [String] {
        seats.withLock { $0 }.filter { seat in
            let seen = seat.subscriber.current.last
            return seat.channels.contains { seen[$0] != last[$0] }
                || (seat.channels.isEmpty && seen != last)
        }.map(\.subscriber.name)
    }

    func leave() async {
        let seats = seats.withLock { seats in
            defer { seats = [] }
            return seats
        }
        for seat in seats {
            seat.subscription?.cancel()
            if seat.subscription == nil { seat.task.cancel() }
        }
        for seat in seats { await seat.task.value }
    }

    var subscribers: [LoggingSubscriber] {
        seats.withLock { $0 }.map(\.subscriber) + [visitor]
    }

    var visitCount: Int { visits.withLock { $0 } }
}
