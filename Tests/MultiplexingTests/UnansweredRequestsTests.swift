import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterMultiplexing

struct UnansweredRequestsTests {
    private let start = Instant.now

    private func requests() -> UnansweredRequests<String> {
        UnansweredRequests(answerTimeout: .seconds(20))
    }

    @Test func withoutARequestThereIsNoDeadline() {
        var requests = requests()
        #expect(requests.deadline(oldestSent: nil) == nil)
        requests.asked(topics: 0, at: start)
        #expect(requests.deadline(oldestSent: nil) == nil)
    }

    @Test func eachKindOfRequestHasItsDeadline() {
        var pinging = requests()
        pinging.pinged(1, "caller", at: start)
        #expect(pinging.deadline(oldestSent: nil) == start + .seconds(20))
        var asking = requests()
        asking.asked(topics: 2, at: start)
        #expect(asking.deadline(oldestSent: nil) == start + .seconds(20))
        let publishing = requests()
        #expect(publishing.deadline(oldestSent: start + .seconds(5)) == start + .seconds(25))
    }

    /// A probe of the session's stands between the server's answer and its own.
    @Test func topicsHaveTenSecondsAtLeast() {
        var requests = UnansweredRequests<String>(answerTimeout: .seconds(1))
        requests.asked(topics: 1, at: start)
        #expect(requests.deadline(oldestSent: nil) == start + .seconds(10))
    }

    @Test func anAnswerIsProgressForWhatElseWaits() {
        var requests = requests()
        requests.pinged(1, "first", at: start)
        requests.pinged(2, "second", at: start)
        #expect(requests.pingAnswered(at: start + .seconds(9)) == "first")
        #expect(requests.deadline(oldestSent: nil) == start + .seconds(29))
    }

    /// Messages that are answered all the time say nothing of a subscription that is not.
    @Test func onlyAnswersForTopicsAreProgressForTopics() {
        var requests = requests()
        requests.asked(topics: 2, at: start)
        requests.progressed(at: start + .seconds(15))
        #expect(requests.deadline(oldestSent: nil) == start + .seconds(20))
        requests.topicAnswered(at: start + .seconds(15))
        #expect(requests.deadline(oldestSent: nil) == start + .seconds(35))
        requests.topicAnswered(at: start + .seconds(16))
        #expect(requests.deadline(oldestSent: nil) == nil)
    }

    @Test func aPostponedTopicIsNotWaitedFor() {
        var requests = requests()
        requests.asked(topics: 2, at: start)
        requests.leave(topics: 2)
        #expect(requests.deadline(oldestSent: nil) == nil)
        // Its confirmation comes all the same.
        requests.topicAnswered(at: start)
        #expect(requests.deadline(oldestSent: nil) == nil)
    }

    @Test func aCancelledPingKeepsItsPlace() {
        var requests = requests()
        requests.pinged(1, "first", at: start)
        requests.pinged(2, "second", at: start)
        #expect(requests.cancelPing(1) == "first")
        #expect(requests.cancelPing(1) == nil)
        #expect(requests.pingAnswered(at: start) == nil)
        #expect(requests.pingAnswered(at: start) == "second")
    }

    @Test func theEndOfASessionGivesTheCallersBack() {
        var requests = requests()
        requests.pinged(1, "first", at: start)
        requests.asked(topics: 3, at: start)
        #expect(requests.removeAll() == ["first"])
        #expect(requests.deadline(oldestSent: nil) == nil)
    }

    @Test func suspendedTimeDoesNotCount() {
        var requests = requests()
        requests.pinged(1, "first", at: start)
        requests.asked(topics: 1, at: start)
        requests.excuse(at: start + .seconds(1000))
        #expect(requests.deadline(oldestSent: nil) == start + .seconds(1020))
    }

    /// Any order of inputs: nothing traps, and each caller comes back once at most.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func isTotal(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var requests = requests()
        var open: Set<String> = []
        var now = start
        for number in 0..<500 {
            now += .milliseconds(Int.random(in: 0...2000, using: &random))
            var back: [String] = []
            switch Int.random(in: 0..<8, using: &random) {
            case 0: requests.asked(topics: Int.random(in: 0...3, using: &random), at: now)
            case 1: requests.topicAnswered(at: now)
            case 2: requests.leave(topics: Int.random(in: 0...5, using: &random))
            case 3:
                requests.pinged(number, "\(number)", at: now)
                open.insert("\(number)")
            case 4: back = [requests.pingAnswered(at: now)].compactMap { $0 }
            case 5:
                let number = Int.random(in: 0...number, using: &random)
                back = [requests.cancelPing(number)].compactMap { $0 }
            case 6: requests.excuse(at: now)
            default: if Bool.random(using: &random) { back = requests.removeAll() }
            }
            for caller in back { #expect(open.remove(caller) != nil, "seed \(seed)") }
            _ = requests.deadline(oldestSent: nil)
        }
    }
}
