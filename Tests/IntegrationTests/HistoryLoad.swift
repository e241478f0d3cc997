import Broadcaster
import BroadcasterTestSupport
import Testing

/// A publisher that never stops and a subscriber that reads all, while the server dies again and again.
struct HistoryLoad {
    let broadcast: Broadcast
    /// A server that is coming back may refuse for a moment.
    let isRefusedAtTimes: Bool

    /// Expects that what was accepted is read once and in order, and no gap is told.
    ///
    /// - Parameter crash: ends the server and starts it again.
    func losesNothing(crashes: Int, crash: () async throws -> Void) async throws {
        let subscription = try await broadcast.subscribe(to: "c")
        let publisher = Task { try await publish() }
        let reader = Task { try await read(subscription) }
        for _ in 0..<crashes {
            let before = broadcast.statistics.received
            while broadcast.statistics.received < before + 200 { await lookAgain() }
            try await crash()
        }
        publisher.cancel()
        let accepted = try await publisher.value
        try await publishEnd()
        let messages = try await reader.value
        let received = messages.map(\.number)
        let copies = Dictionary(grouping: messages, by: \.number).values.filter { $0.count > 1 }
        // Copies at one position were read twice, and copies at several were stored twice.
        #expect(copies.isEmpty, "something came twice")
        #expect(Set(accepted).isSubset(of: received), "something was lost")
        // One whose outcome is unknown may have waited inside a server that was coming back, and stand behind others.
        var known = Set(accepted)
        let inOrder = received.filter { known.remove($0) != nil }
        #expect(inOrder == inOrder.sorted(), "out of order")
    }

    private func publishEnd() async throws {
        while true {
            do throws(BroadcastError) {
                try await broadcast.publish("end", to: "c", retry: .atLeastOnce)
                return
            } catch {
                switch error {
                case .temporarilyRefused, .outcomeUnknown: if isRefusedAtTimes { continue }
                default: break
                }
                throw error
            }
        }
    }

    /// The numbers that were accepted.
    private func publish() async throws -> [Int] {
        var number = 0
        var accepted: [Int] = []
        while !Task.isCancelled {
            do throws(BroadcastError) {
                try await broadcast.publish("\(number)", to: "c")
                accepted.append(number)
            } catch {
                switch error {
                case .outcomeUnknown, .disconnected, .cancelled: break
                case .temporarilyRefused where isRefusedAtTimes: break
                default: throw error
                }
            }
            number += 1
        }
        return accepted
    }

    private struct Received {
        let number: Int
        let position: MessagePosition?
    }

    private func read(_ subscription: Subscription) async throws -> [Received] {
        var messages: [Received] = []
        for try await event in subscription.events {
            switch event {
            case .gap(let gap): Issue.record("a gap: \(gap)")
            case .message(let message):
                if message.text == "end" { return messages }
                messages.append(
                    Received(number: Int(message.text) ?? -1, position: message.position))
            }
        }
        return messages
    }
}
