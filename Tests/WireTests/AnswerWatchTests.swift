import BroadcasterWire
import Testing

struct AnswerWatchTests {
    private let start = Instant.now

    @Test func countsFromTheOldestRequestOrTheLastProgress() {
        var watch = AnswerWatch(timeout: .seconds(30))
        #expect(watch.deadline(due: nil) == nil)
        #expect(watch.deadline(due: start) == start + .seconds(30))
        watch.progressed(at: start - .seconds(5))
        #expect(watch.deadline(due: start) == start + .seconds(30), "before it was asked")
        watch.progressed(at: start + .seconds(20))
        #expect(watch.deadline(due: start) == start + .seconds(50))
        #expect(watch.deadline(due: nil) == nil)
    }
}
