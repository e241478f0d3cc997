import BroadcasterTestSupport
import Synchronization
import Testing

@testable import BroadcasterSockets

struct TimerQueueTests {
    private let start = ContinuousClock.now

    private final class Record: Sendable {
        private let numbers = Mutex<[Int]>([])

        func note(_ number: Int) { numbers.withLock { $0.append(number) } }
        var all: [Int] { numbers.withLock { $0 } }
    }

    @Test(arguments: [1 as UInt64, 2, 3])
    func runsInTheOrderOfDeadlinesWhateverIsCancelled(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = TimerQueue()
        let record = Record()
        var expected: [(Int, Int)] = []
        for number in 0..<500 {
            let second = Int.random(in: 0..<50, using: &random)
            let id = queue.add(at: start + .seconds(second)) { record.note(number) }
            if Int.random(in: 0..<3, using: &random) == 0 {
                queue.cancel(id)
            } else {
                expected.append((second, number))
            }
        }
        for second in 0..<50 {
            for action in queue.takeDue(start + .seconds(second)) { action() }
        }
        let sorted = expected.sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 < $1.0 }
        #expect(record.all == sorted.map(\.1))
        #expect(queue.count == 0)
    }

    @Test func whatIsNotDueStays() {
        var queue = TimerQueue()
        _ = queue.add(at: start + .seconds(2)) {}
        #expect(queue.takeDue(start + .seconds(1)).isEmpty)
        #expect(queue.earliest == start + .seconds(2))
    }

    @Test func cancelledTimersDoNotPileUp() {
        var queue = TimerQueue()
        for _ in 0..<10_000 { queue.cancel(queue.add(at: start + .seconds(1000)) {}) }
        #expect(queue.count == 0)
        #expect(queue.earliest == nil || queue.heap.count < 100)
    }
}
