import BroadcasterWire
import Testing

@testable import BroadcasterMultiplexing

struct OutageLogTests {
    private let start = Instant.now
    private let refused = ConnectionFailure.unreachable("connection refused")

    /// The lines of an outage with an attempt every two seconds.
    private func lines(attempts: Int, _ log: inout OutageLog) -> [Int] {
        (0..<attempts).filter { number in
            log.failed(refused, retryIn: .seconds(2), at: start + .seconds(2 * number)) != nil
        }
    }

    @Test func theFirstAttemptsAreToldAndThenOneInAMinute() {
        var log = OutageLog()
        log.begin(at: start)
        #expect(lines(attempts: 100, &log) == [0, 1, 2, 32, 62, 92])
        #expect(
            log.failed(refused, retryIn: .seconds(2), at: start + .seconds(600))
                == .stillLost(refused, for: .seconds(600), attempts: 101))
    }

    @Test func anotherReasonIsToldAtOnce() {
        var log = OutageLog()
        _ = lines(attempts: 5, &log)
        let other = ConnectionFailure.timedOut("not connected within 5 s")
        #expect(
            log.failed(other, retryIn: .seconds(2), at: start + .seconds(11))
                == .lost(other, retryIn: .seconds(2)))
    }

    @Test func aNewOutageIsToldFromItsFirstAttempt() {
        var log = OutageLog()
        _ = lines(attempts: 5, &log)
        log.connected()
        #expect(lines(attempts: 5, &log) == [0, 1, 2])
    }

    @Test func oneLineTellsThatTheChannelsAreBack() {
        var log = OutageLog()
        #expect(log.restored(at: start) == nil)
        log.begin(at: start)
        log.connected()
        log.asked(topics: 3)
        let end = start + .seconds(2)
        #expect(log.restored(at: end) == .resubscribed(topics: 3, after: .seconds(2)))
        #expect(log.restored(at: end) == nil)
    }

    /// A channel that is subscribed for the first time, long after a loss that cost none.
    @Test func aLossWithoutChannelsHasNoSuchLine() {
        var log = OutageLog()
        log.begin(at: start)
        log.connected()
        log.asked(topics: 0)
        log.asked(topics: 1)
        #expect(log.restored(at: start + .seconds(600)) == nil)
    }

    /// The time counts from the first loss.
    @Test func aSecondLossInTheMiddleIsTheSameOutage() {
        var log = OutageLog()
        log.begin(at: start)
        log.connected()
        log.asked(topics: 3)
        log.begin(at: start + .seconds(1))
        #expect(log.restored(at: start + .seconds(1)) == nil)
        log.connected()
        log.asked(topics: 3)
        #expect(
            log.restored(at: start + .seconds(4)) == .resubscribed(topics: 3, after: .seconds(4)))
    }
}
