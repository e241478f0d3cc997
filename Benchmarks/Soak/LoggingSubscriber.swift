import Broadcaster
import BroadcasterTestSupport
import Synchronization

/// A subscriber that logs its deliveries, and decides nothing.
final class LoggingSubscriber: Sendable {
    struct Counts {
        var messages = 0
        var gaps: [String: Int] = [:]
        /// The last number of each channel.
        var last: [String: Int] = [:]
        var failure: BroadcastError?
    }

    let name: String
    let path: String
    private let log: LogFile
    private let counts = Mutex(Counts())
    /// The pause after 16 messages; zero is none.
    private let pause: Mutex<Duration>

    init(_ name: String, in folder: String, pause: Duration = .zero) throws {
        self.name = name
        path = "\(folder)/\(name).log"
        log = try LogFile(path)
        self.pause = Mutex(pause)
    }

    var current: Counts { counts.withLock { $0 } }

    func hurry() {
        pause.withLock { $0 = .zero }
    }

    /// Follows a subscription that the server has just confirmed, to its end.
    func follow(
        _ subscription: Subscription, to channels: [String], endsWith last: SubscriberLine = .end
    ) async {
        write(.subscribed(at: Moment.now, channels: channels.map { $0[...] }))
        do throws(BroadcastError) {
            var events = subscription.events.makeAsyncIterator()
            var taken = 0
            while let event = try await events.next() {
                note(event)
                taken += 1
                let pause = pause.withLock { $0 }
                if taken % 16 == 0, pause > .zero { try? await Task.sleep(for: pause) }
            }
        } catch {
            counts.withLock { $0.failure = error }
        }
        write(last)
        log.flush()
    }

    /// Follows channels of which history is kept to the end of the task: by one subscription after the other, each behind the
    /// last message of the one before. By its log it was never away.
    func follow(
        _ first: Subscription, returningTo channels: [String], on broadcast: Broadcast,
        _ random: SeededRandom
    ) async {
        var random = random
        write(.subscribed(at: Moment.now, channels: channels.map { $0[...] }))
        var places = first.startPositions
        var subscription: Subscription? = first
        while !Task.isCancelled {
            let stay = Duration.milliseconds(Int.random(in: 1...1500, using: &random))
            let leaving = Task { [subscription] in
                try? await Task.sleep(for: stay)
                subscription?.cancel()
            }
            await read(subscription, noting: &places)
            leaving.cancel()
            subscription = try? await Self.subscribe(to: channels, behind: places, on: broadcast)
            // The server does not answer in the middle of a fault.
            if subscription == nil { try? await Task.sleep(for: .milliseconds(100)) }
        }
        subscription?.cancel()
        write(.end)
        log.flush()
    }

    private func read(
        _ subscription: Subscription?, noting places: inout [String: MessagePosition]
    ) async {
        guard var events = subscription?.events.makeAsyncIterator() else { return }
        do throws(BroadcastError) {
            while let event = try await events.next() {
                note(event)
                if case .message(let message) = event { places[message.channel] = message.position }
            }
        } catch {
            counts.withLock { $0.failure = error }
        }
    }

    private static func subscribe(
        to channels: [String], behind places: [String: MessagePosition], on broadcast: Broadcast
    ) async throws -> Subscription? {
        var subscription: Subscription?
        for channel in channels {
            let start = places[channel].map { SubscriptionStart.after($0) } ?? .new
            if let subscription {
                try await subscription.add(channel, history: start)
            } else {
                subscription = try await broadcast.subscribe(to: channel, history: start)
            }
        }
        return subscription
    }

    private func note(_ event: SubscriptionEvent) {
        switch event {
        case .message(let message):
            let number = Int(message.text) ?? -1
            write(.message(channel: message.channel[...], number: number))
            counts.withLock { counts in
                counts.messages += 1
                counts.last[message.channel] = number
            }
        case .gap(let gap):
            let reason = gap.reason.word
            write(.gap(reason: reason[...], lost: gap.lost, at: Moment.now))
            counts.withLock { $0.gaps[reason, default: 0] += 1 }
        }
    }

    private func write(_ line: SubscriberLine) {
        log.write(line.text)
    }
}

extension Gap.Reason {
    var word: String {
        switch self {
        case .reconnected: "reconnected"
        case .overflow: "overflow"
        case .incomplete: "incomplete"
        case .trimmed: "trimmed"
        case .reset: "reset"
        }
    }
}
