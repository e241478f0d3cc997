import BroadcasterMultiplexing
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// What a call is told that waited for a connection in vain, and what its waiting does to the next attempt.
struct OutageTests {
    private let start = Instant.now
    private let server = Endpoint.tcp(host: "a", port: 1)
    private let closed = ConnectionFailure.lost("the server closed the connection")

    private func ready(_ backoff: Backoff = Backoff()) -> ConnectionState {
        var state = ConnectionState(
            servers: [server], connectTimeout: .seconds(5), waitsForServer: false, backoff: backoff)
        _ = state.start(at: start)
        state.ready(at: start)
        return state
    }

    // MARK: Reasons

    @Test func aConnectionThatHeldIsNoReason() {
        let state = ready()
        #expect(state.unconfirmed(since: start) == .timedOut)
        #expect(state.unsent(since: start) == "no room to send in time")
        #expect(state.refusal(at: start) == nil)
    }

    @Test func withoutAConnectionTheReasonIsTheLastFailure() {
        var state = ready()
        _ = state.failed(closed, at: start + .seconds(1), chance: 1)
        let text = "no connection: the server closed the connection"
        #expect(state.refusal(at: start + .seconds(1)) == .down(text))
        #expect(state.unconfirmed(since: start) == .down(text))
        _ = state.timeReached(start + .seconds(2))
        _ = state.failed(.unreachable("refused"), at: start + .seconds(2), chance: 1)
        #expect(state.unsent(since: start) == "no connection: refused")
    }

    /// The server accepts every connection, and closes it on what is asked there.
    @Test(arguments: [(0.0, true), (1, true), (1.5, false)])
    func aConnectionThatHasEndedMeanwhileIsTheReason(since: Double, isTold: Bool) {
        var state = ready()
        _ = state.failed(closed, at: start + .seconds(1), chance: 1)
        _ = state.timeReached(start + .seconds(1.2))
        state.ready(at: start + .seconds(1.3))
        let text =
            "not done in time, and the last connection ended: the server closed the connection"
        let since = start + .seconds(since)
        #expect(state.unconfirmed(since: since) == (isTold ? .down(text) : .timedOut))
        #expect(state.unsent(since: since) == (isTold ? text : "no room to send in time"))
        #expect(state.refusal(at: since) == nil)
    }

    @Test func aStateThatIsClosedSaysSo() {
        var state = ready()
        state.close()
        #expect(state.refusal(at: start) == .closed)
    }

    // MARK: Waiting calls

    @Test func aCallBringsTheNextAttemptForwardOnceInEachWait() {
        var state = ready()
        for _ in 0..<10 {
            guard case .wait(let until, _) = state.failed(closed, at: start, chance: 1) else {
                Issue.record("no wait")
                return
            }
            #expect(state.deadline == until)
            state.hurry(at: start, limit: .seconds(9), chance: 0.5)
            let hurried = start + (until - start) / 2
            #expect(state.deadline == hurried)
            state.hurry(at: start, limit: .seconds(9), chance: 0)
            #expect(state.deadline == hurried, "once")
            _ = state.timeReached(hurried)
        }
    }

    @Test func itNeverPutsTheAttemptOffAndNeverMakesABusyLoop() {
        var state = ready()
        _ = state.failed(closed, at: start, chance: 0.4)
        state.hurry(at: start, limit: .seconds(9), chance: 1)
        #expect(state.deadline == start + .milliseconds(20))
        _ = state.timeReached(start + .milliseconds(20))
        _ = state.failed(closed, at: start, chance: 1)
        state.hurry(at: start, limit: .seconds(9), chance: 0)
        #expect(state.deadline == start + .milliseconds(10))
    }

    /// However long the waits may be, a call has an attempt before its own deadline.
    @Test func theAttemptComesWithinTheLimit() {
        var state = ready(Backoff(longest: .seconds(60)))
        var now = start
        for _ in 0..<20 {
            _ = state.failed(closed, at: now, chance: 1)
            state.hurry(at: now, limit: .seconds(2), chance: 1)
            #expect((state.deadline ?? now) - now <= .seconds(2))
            now = state.deadline ?? now
            _ = state.timeReached(now)
        }
    }

    @Test func aRefusedPasswordIsNotTriedSooner() {
        var state = ready()
        let wrong = Rejection(kind: .authentication, message: "WRONGPASS")
        _ = state.failed(.rejected(wrong), at: start, chance: 0)
        #expect(!state.canHurry)
        state.hurry(at: start, limit: .seconds(1), chance: 0)
        #expect(state.deadline == start + .seconds(5))
    }

    @Test func withoutAWaitThereIsNothingToHurry() {
        var state = ready()
        state.hurry(at: start, limit: .seconds(1), chance: 0)
        #expect(state.isReady && !state.canHurry)
    }

    /// A thousand processes lose their server together, and in each of them calls wait.
    @Test func waitingCallsLeaveTheAttemptsSpread() {
        var random = SeededRandom()
        var tenths = Array(repeating: 0, count: 10)
        for _ in 0..<1000 {
            var state = ready()
            var now = start
            // The seventh attempt and later ones: the interval is 2 s.
            for attempt in 1...8 {
                let before = now
                _ = state.failed(closed, at: now, chance: .random(in: 0...1, using: &random))
                for _ in 0..<3 {
                    state.hurry(
                        at: now, limit: .seconds(2.5), chance: .random(in: 0...1, using: &random))
                }
                now = state.deadline ?? now
                _ = state.timeReached(now)
                if attempt == 8 { tenths[min(Int((now - before) / .milliseconds(200)), 9)] += 1 }
            }
        }
        // The earlier of two draws: a fifth of the attempts in the first tenth of the interval, a hundredth in the last.
        #expect(tenths[0] < 260, "\(tenths) \(random.seed)")
        for (place, count) in tenths.dropLast().enumerated() {
            #expect(count > (9 - place) * 10, "\(tenths) \(random.seed)")
        }
    }
}
