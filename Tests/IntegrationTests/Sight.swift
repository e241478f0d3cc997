import Broadcaster
import BroadcasterTestSupport

/// A subscriber's deliveries, in words: a message is its text, a gap begins with `gap`.
struct Sight {
    private var events: Subscription.Events.Iterator

    init(_ subscription: Subscription) {
        events = subscription.events.makeAsyncIterator()
    }

    mutating func next() async throws -> String {
        switch try await events.next() {
        case .message(let message): message.text
        case .gap(let gap): "gap \(gap.reason)"
        case nil: "end"
        }
    }

    /// Returns the deliveries up to and including the first that begins with `last`.
    mutating func all(upTo last: String) async throws -> [String] {
        var seen: [String] = []
        repeat {
            seen.append(try await next())
        } while !seen[seen.count - 1].hasPrefix(last)
            && seen.last != "end"
        return seen
    }
}

extension Broadcast {
    /// Publishes 1, 2, 3 … until it is cancelled, each again as long as it was not accepted.
    func publishNumbers(to channel: String) -> Task<Void, Never> {
        Task {
            var number = 1
            while !Task.isCancelled {
                let isDone = (try? await publish("\(number)", to: channel)) != nil
                if isDone { number += 1 }
                await lookAgain()
            }
        }
    }

    /// Returns when the status satisfies `isWanted`.
    func waitFor(_ isWanted: (BroadcastStatus) -> Bool) async {
        for await status in statuses where isWanted(status) { return }
    }

    func waitUntilDown() async -> BroadcastError? {
        for await status in statuses {
            if case .down(let error, _) = status { return error }
        }
        return nil
    }
}
