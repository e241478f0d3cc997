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
