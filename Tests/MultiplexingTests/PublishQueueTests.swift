import BroadcasterMultiplexing
import BroadcasterTestSupport
import BroadcasterWire
import Synchronization
import Testing

private let lastID = Atomic<UInt64>(0)

private func newID() -> UInt64 {
    lastID.wrappingAdd(1, ordering: .relaxed).oldValue
}

struct PublishQueueTests {
    private let start = Instant.now

    private func queue(_ count: Int) -> PublishQueueState<Int> {
        var queue = PublishQueueState<Int>()
        queue.open()
        for number in 0..<count {
            let isAdded = queue.add(
                .text("\(number)"), to: "c", id: UInt64(number),
                deadline: start + .seconds(number), waiter: number)
            #expect(isAdded)
        }
        return queue
    }

    @Test func answersGoToTheirOwnInOrder() {
        var queue = queue(3)
        let publications = queue.takeUnsent(limit: 1000)
        #expect(publications.map(\.ticket) == [0, 1, 2])
        #expect(publications.map(\.payload) == [.text("0"), .text("1"), .text("2")])
        for number in 0..<3 {
            let settled = queue.answered(UInt64(number), .success(Receipt(receivers: number * 10)))
            #expect(settled?.waiter == number)
            #expect(settled?.result == .success(Receipt(receivers: number * 10)))
        }
        #expect(queue.isIdle)
        #expect(queue.published == 3)
    }

    /// CVE-2023-28858: the answer to a cancelled request must not go to the next one.
    @Test func aCancelledMessageKeepsItsPlace() {
        var queue = queue(3)
        _ = queue.takeUnsent(limit: 1000)
        let cancelled = queue.cancel(1..<2).first
        #expect(cancelled?.waiter == 1)
        guard case .failure(.outcomeUnknown)? = cancelled?.result else {
            Issue.record("sent already: \(String(describing: cancelled))")
            return
        }
        #expect(queue.answered(0, .success(Receipt(receivers: 7)))?.waiter == 0)
        #expect(queue.answered(1, .success(Receipt(receivers: 8))) == nil)
        #expect(queue.answered(2, .success(Receipt(receivers: 9)))?.waiter == 2)
    }

    @Test func aMessageCancelledBeforeItIsSentIsNotSent() {
        var queue = queue(3)
        let cancelled = queue.cancel(1..<2)
        #expect(cancelled.first?.result == .failure(.cancelled))
        #expect(queue.cancel(1..<2).isEmpty)
        #expect(queue.takeUnsent(limit: 1000).map(\.payload) == [.text("0"), .text("2")])
        #expect(queue.answered(0, .success(Receipt()))?.waiter == 0)
        #expect(queue.answered(1, .success(Receipt()))?.waiter == 2)
    }

    /// Messages without a byte are bytes on the wire too.
    @Test func emptyMessagesDoNotGoAllAtOnce() {
        var queue = queue(1000)
        #expect((1...40).contains(queue.takeUnsent(limit: 1000).count))
    }

    /// A server that takes messages and answers none must not fill the client's memory.
    @Test func noMoreIsSentThanMayBeUnanswered() {
        let limit = PublishQueueState<Int>.sentLimit
        var queue = queue(limit + 2)
        #expect(queue.takeUnsent(limit: .max).count == limit)
        #expect(queue.takeUnsent(limit: .max).isEmpty)
        #expect(queue.hasUnsent)
        _ = queue.answered(0, .success(Receipt()))
        #expect(queue.takeUnsent(limit: .max).map(\.payload) == [.text("\(limit)")])
    }

    /// Numbers are drawn before the queue is locked: the first number drawn may come last.
    @Test func theCancelledAreFoundOutOfOrderToo() {
        var queue = PublishQueueState<Int>()
        queue.open()
        for (waiter, id) in [7, 2, 9, 4, 3, 8].enumerated() {
            _ = queue.add(
                .text("\(id)"), to: "c", id: UInt64(id), deadline: start, waiter: waiter)
        }
        _ = queue.takeUnsent(limit: .max, count: 3)
        #expect(queue.cancel(2..<4).map(\.waiter).sorted() == [1, 4])
        #expect(queue.cancel(7..<8).map(\.waiter) == [0])
        #expect(queue.cancel(1..<2).isEmpty)
        #expect(queue.takeUnsent(limit: .max).map(\.payload) == [.text("4"), .text("8")])
    }

    @Test func aQueueOfCancelledMessagesIsIdle() {
        var queue = queue(3)
        #expect(queue.cancel(1..<3).count == 2)
        #expect(!queue.isIdle)
        #expect(queue.cancel(0..<1).count == 1)
        #expect(queue.isIdle)
    }

    @Test func aLostConnectionSplitsSentFromUnsent() throws {
        var queue = queue(4)
        _ = queue.takeUnsent(limit: 1000, count: 2)
        let lost = queue.connectionLost("x")
        #expect(lost.map(\.waiter) == [0, 1])
        #expect(lost.allSatisfy { $0.result == .failure(.outcomeUnknown("x")) })
        let rest = queue.takeUnsent(limit: 1000)
        #expect(rest.map(\.payload) == [.text("2"), .text("3")])
        let first = try #require(rest.first)
        #expect(queue.answered(first.ticket, .success(Receipt()))?.waiter == 2)
    }

    @Test func deadlinesPassInOrderAndSentOnesKeepTheirPlaces() {
        var queue = queue(4)
        _ = queue.takeUnsent(limit: 1000, count: 2)
        #expect(queue.nextDeadline == start)
        let expired = queue.expire(at: start + .seconds(2), "down")
        #expect(expired.map(\.waiter) == [0, 1, 2])
        #expect(expired[2].result == .failure(.notSent("down")))
        guard case .failure(.outcomeUnknown) = expired[0].result else {
            Issue.record("\(expired)")
            return
        }
        #expect(queue.nextDeadline == start + .seconds(3))
        #expect(queue.answered(0, .success(Receipt())) == nil)
        #expect(queue.answered(1, .success(Receipt())) == nil)
        #expect(queue.takeUnsent(limit: 1000).map(\.ticket) == [2])
        #expect(queue.answered(2, .success(Receipt()))?.waiter == 3)
    }

    /// Goodbye does not wait for an answer that would be given to nobody.
    @Test func aQueueWhoseCallersHaveLeftIsIdle() {
        var queue = queue(2)
        _ = queue.takeUnsent(limit: 1000)
        #expect(!queue.isIdle)
        _ = queue.expire(at: start, "x")
        #expect(!queue.isIdle)
        _ = queue.expire(at: start + .seconds(9), "x")
        #expect(queue.isIdle)
    }

    @Test func nothingEntersAClosedQueue() {
        var queue = queue(2)
        _ = queue.takeUnsent(limit: 1)
        #expect(queue.close().map(\.waiter) == [0, 1])
        let isAdded = queue.add(
            .text("x"), to: "c", id: newID(), deadline: start, waiter: 9)
        #expect(!isAdded)
        #expect(queue.isIdle)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func everyWaiterIsSettledOnceWithItsOwnAnswer(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = PublishQueueState<Int>()
        queue.open()
        var settledOnce: Set<Int> = []
        var added = 0
        var wire: [(ticket: UInt64, waiter: Int)] = []
        var ids: [Int: UInt64] = [:]
        var now = start
        func note(_ settled: [PublishQueueState<Int>.Settled]) {
            for item in settled {
                #expect(settledOnce.insert(item.waiter).inserted, "seed \(seed)")
                if case .success(let answer) = item.result {
                    #expect(answer.receivers == item.waiter)
                }
            }
        }
        for _ in 0..<3000 {
            now += .milliseconds(Int64.random(in: 0...50, using: &random))
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<5:
                let id = newID()
                ids[added] = id
                _ = queue.add(
                    .text("\(added)"), to: "c", id: id, deadline: now + .seconds(1), waiter: added)
                added += 1
            case 5..<7:
                for message in queue.takeUnsent(limit: 100) {
                    guard case .text(let text) = message.payload else { continue }
                    wire.append((message.ticket, Int(text) ?? -1))
                }
            case 7..<10 where !wire.isEmpty:
                let (ticket, waiter) = wire.removeFirst()
                note(
                    [queue.answered(ticket, .success(Receipt(receivers: waiter)))].compactMap { $0 }
                )
            case 10:
                let victim = Int.random(in: 0...max(added, 1), using: &random)
                if let id = ids[victim] { note(queue.cancel(id..<id + 1)) }
            case 11 where Int.random(in: 0..<20, using: &random) == 0:
                note(queue.connectionLost("x"))
                wire = []
            default: note(queue.expire(at: now, "x"))
            }
        }
        note(queue.close())
        #expect(settledOnce.count == added, "seed \(seed)")
    }
}
