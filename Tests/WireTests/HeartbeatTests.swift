import BroadcasterWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HeartbeatTests {
    private let start = Instant.now

    @Test func asksAfterThreeQuartersToAWholeIntervalOfSilence() {
        var heartbeat = Heartbeat(interval: .seconds(8))
        heartbeat.start(at: start)
        #expect(heartbeat.timeReached(start + .seconds(2)) == .wait)
        #expect(heartbeat.timeReached(start + .seconds(4)) == .wait)
        #expect(heartbeat.timeReached(start + .seconds(6)) == .ask)
    }

    @Test func noAnswerWithinFiveSecondsIsDeath() {
        var heartbeat = Heartbeat(interval: .seconds(8))
        heartbeat.start(at: start)
        for second in [2, 4, 6] { _ = heartbeat.timeReached(start + .seconds(second)) }
        #expect(heartbeat.timeReached(start + .seconds(10)) == .wait)
        #expect(heartbeat.timeReached(start + .seconds(11)) == .dead)
    }

    @Test func anyByteIsASignOfLife() {
        var heartbeat = Heartbeat(interval: .seconds(8))
        heartbeat.start(at: start)
        for second in [2, 4, 6] { _ = heartbeat.timeReached(start + .seconds(second)) }
        heartbeat.heard()
        #expect(heartbeat.timeReached(start + .seconds(11)) == .wait)
        #expect(heartbeat.deadline == start + .seconds(13))
    }

    @Test func aCutIsFoundWithinIntervalAndFiveSecondsWheneverItComes() {
        for cut in stride(from: 0.0, to: 3.0, by: 0.1) {
            var heartbeat = Heartbeat(interval: .seconds(10))
            heartbeat.start(at: start)
            var isHeard = false
            while let due = heartbeat.deadline {
                if !isHeard, due > start + .seconds(cut) {
                    heartbeat.heard()
                    isHeard = true
                }
                guard heartbeat.timeReached(due) == .dead else { continue }
                #expect(due - start - .seconds(cut) <= .seconds(15))
                break
            }
        }
    }

    /// The worst moment for a cut is right after an answer.
    @Test(arguments: [(10.0, 15.0), (4, 8), (1, 2)])
    func aCutRightAfterAnAnswerIsFoundAsSoon(interval: Double, limit: Double) {
        for answers in 0..<5 {
            var heartbeat = Heartbeat(interval: .seconds(interval))
            heartbeat.start(at: start)
            var lastHeard = start
            var left = answers
            while let due = heartbeat.deadline {
                let verdict = heartbeat.timeReached(due)
                if verdict == .ask, left > 0 {
                    left -= 1
                    heartbeat.heard()
                    lastHeard = due
                }
                guard verdict == .dead else { continue }
                #expect(due - lastHeard <= .seconds(limit), "after \(answers) answers")
                break
            }
        }
    }
}
