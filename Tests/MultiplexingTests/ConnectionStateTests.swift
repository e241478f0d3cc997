import BroadcasterMultiplexing
import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct ConnectionStateTests {
    private let start = Instant.now
    private let first = Endpoint.tcp(host: "a", port: 1)
    private let second = Endpoint.tcp(host: "b", port: 2)
    private let third = Endpoint.tcp(host: "c", port: 3)

    private func state(waits: Bool = false) -> ConnectionState {
        var state = ConnectionState(
            servers: [first], connectTimeout: .seconds(5), waitsForServer: waits,
            backoff: Backoff(longest: .seconds(5)))
        _ = state.start(at: start)
        return state
    }

    @Test(arguments: [
        ConnectionFailure.unreachable("refused"), .protocolViolation("x"), .lost("closed"),
        .insecure("expired"),
        .rejected(Rejection(kind: .authentication, message: "WRONGPASS")),
        .rejected(Rejection(kind: .permanent, message: "ERR")),
        .rejected(Rejection(kind: .permission, message: "NOPERM")),
    ])
    func connectingFailsFast(failure: ConnectionFailure) {
        var state = state()
        #expect(state.failed(failure, at: start, chance: 0.5) == .giveUp(failure))
        #expect(state.phase == .closed)
    }

    @Test func whatHealsIsRetriedUntilTheDeadline() {
        var state = state()
        let loading = ConnectionFailure.rejected(Rejection(kind: .temporary, message: "LOADING"))
        var now = start
        for _ in 0..<100 {
            switch state.failed(loading, at: now, chance: 1) {
            case .wait(let until, _):
                #expect(until > now && until <= start + .seconds(5))
                now = until
                #expect(
                    state.timeReached(now) == .connect(to: first, deadline: start + .seconds(5)))
            case .giveUp:
                #expect(now == start + .seconds(5))
                return
            default: Issue.record("neither waits nor gives up")
            }
        }
        Issue.record("never gave up")
    }

    /// A host without power, say: the second of the list must have its chance within the time of `connect()`.
    @Test func aSilentServerLeavesTimeForTheNext() {
        var state = ConnectionState(
            servers: [first, second, third], connectTimeout: .seconds(6), waitsForServer: false)
        #expect(state.start(at: start) == .connect(to: first, deadline: start + .seconds(2)))
        var now = start + .seconds(2)
        let silent = ConnectionFailure.timedOut("no answer")
        #expect(state.failed(silent, at: now, chance: 1) == .wait(until: now, because: silent))
        #expect(state.timeReached(now) == .connect(to: second, deadline: start + .seconds(4)))
        // A host that answers at once leaves its share to the last.
        now += .seconds(1)
        _ = state.failed(.unreachable("refused"), at: now, chance: 1)
        #expect(state.timeReached(now) == .connect(to: third, deadline: start + .seconds(6)))
        now = start + .seconds(6)
        #expect(state.failed(silent, at: now, chance: 1) == .giveUp(silent))
    }

    @Test func aServerThatIsNotThereYetIsWaitedForIfAskedTo() {
        var state = state(waits: true)
        guard case .wait = state.failed(.unreachable("x"), at: start + .seconds(60), chance: 1)
        else {
            Issue.record("gave up")
            return
        }
        _ = state.timeReached(start + .seconds(100))
        let wrong = ConnectionFailure.rejected(
            Rejection(kind: .authentication, message: "WRONGPASS"))
        #expect(state.failed(wrong, at: start + .seconds(100), chance: 1) == .giveUp(wrong))
    }

    @Test func afterASuccessNothingIsFinal() {
        var state = state()
        state.ready(at: start)
        var now = start + .seconds(100)
        for failure in [
            ConnectionFailure.lost("x"), .unreachable("x"), .protocolViolation("x"), .timedOut("x"),
            .rejected(Rejection(kind: .permanent, message: "ERR")),
        ] {
            guard case .wait(let until, _) = state.failed(failure, at: now, chance: 1) else {
                Issue.record("gave up after \(failure)")
                return
            }
            now = until
            #expect(state.timeReached(now) == .connect(to: first, deadline: now + .seconds(5)))
        }
    }

    @Test func waitingDoublesUpToFiveSeconds() {
        var state = state()
        state.ready(at: start)
        var now = start
        var delays: [Duration] = []
        for _ in 0..<12 {
            guard case .wait(let until, _) = state.failed(.lost("x"), at: now, chance: 1) else {
                break
            }
            delays.append(until - now)
            now = until
            _ = state.timeReached(now)
        }
        #expect(delays.prefix(4) == [50, 100, 200, 400].map { .milliseconds($0) }[...])
        #expect(delays.last == .seconds(5))
    }

    /// Two hundred processes that lose a server together do not come back together.
    @Test func manyProcessesSpreadOverTheInterval() {
        var random = SeededRandom()
        var tenths = Array(repeating: 0, count: 10)
        for _ in 0..<200 {
            var state = ConnectionState(
                servers: [first], connectTimeout: .seconds(5), waitsForServer: true,
                backoff: Backoff(longest: .seconds(5)))
            _ = state.start(at: start)
            var now = start
            // The eighth attempt and later ones: the interval is 5 s.
            for _ in 0..<10 {
                let before = now
                let chance = Double.random(in: 0...1, using: &random)
                guard case .wait(let until, _) = state.failed(.lost("x"), at: now, chance: chance)
                else { continue }
                now = until
                _ = state.timeReached(now)
                let tenth = min(Int((until - before) / .milliseconds(500)), 9)
                tenths[tenth] += before == start ? 0 : 1
            }
        }
        // The first attempts are short; the last two of each process are spread evenly.
        for count in tenths[1...] {
            #expect((20...400).contains(count), "\(tenths) \(random.seed)")
        }
    }

    @Test func jitterNeverMakesABusyLoop() {
        var state = state()
        state.ready(at: start)
        guard case .wait(let until, _) = state.failed(.lost("x"), at: start, chance: 0) else {
            Issue.record("no wait")
            return
        }
        #expect(until - start == .milliseconds(10))
    }

    @Test func aConnectionThatHoldsForgetsTheAttempts() {
        var state = state()
        var now = start
        for _ in 0..<8 {
            state.ready(at: now)
            if case .wait(let until, _) = state.failed(.lost("x"), at: now, chance: 1) {
                now = until
            }
            _ = state.timeReached(now)
        }
        state.ready(at: now)
        now += .seconds(6)
        #expect(
            state.failed(.lost("x"), at: now, chance: 1)
                == .wait(until: now + .milliseconds(50), because: .lost("x")))
    }

    /// A server that takes each connection, and leaves each request on it unanswered for the same reason.
    @Test func aConnectionThatHoldsAndAnswersNothingForOneReasonDoesNot() {
        var state = state()
        var now = start
        var waits: [Duration] = []
        for reason in ["x", "x", "x", "y", "y"] {
            state.ready(at: now)
            now += .seconds(20)
            let decision = state.failed(.lost(reason), at: now, chance: 1, isAnswered: false)
            if case .wait(let until, _) = decision {
                waits.append(until - now)
                now = until
            }
            _ = state.timeReached(now)
        }
        #expect(waits == [50, 100, 200, 50, 100].map { .milliseconds($0) })
    }

    @Test func aConnectionThatFlapsDoesNot() {
        var state = state()
        var now = start
        for _ in 0..<8 {
            state.ready(at: now)
            if case .wait(let until, _) = state.failed(.lost("x"), at: now, chance: 1) {
                now = until
            }
            _ = state.timeReached(now)
        }
        guard case .wait(let until, _) = state.failed(.lost("x"), at: now, chance: 1) else {
            return
        }
        #expect(until - now == .seconds(5))
    }

    @Test func aRefusedPasswordIsNotHammered() {
        var state = state()
        state.ready(at: start)
        let now = start + .seconds(60)
        _ = state.failed(.lost("x"), at: now, chance: 0)
        _ = state.timeReached(now + .seconds(1))
        let wrong = ConnectionFailure.rejected(
            Rejection(kind: .authentication, message: "WRONGPASS"))
        let again = state.failed(wrong, at: now + .seconds(1), chance: 0)
        #expect(again == .wait(until: now + .seconds(6), because: wrong))
    }

    /// Every input in every phase: it moves or does nothing, and a closed state stays closed.
    @Test func isTotal() {
        let inputs: [@Sendable (inout ConnectionState, Instant) -> Void] = [
            { state, now in _ = state.start(at: now) },
            { state, now in state.ready(at: now) },
            { state, now in _ = state.failed(.lost("x"), at: now, chance: 0.5) },
            { state, now in _ = state.timeReached(now) },
            { state, _ in state.close() },
        ]
        for path in 0..<3125 {
            var state = ConnectionState(
                servers: [first], connectTimeout: .seconds(5), waitsForServer: false)
            var number = path
            var wasClosed = false
            for step in 0..<5 {
                inputs[number % 5](&state, start + .seconds(step))
                number /= 5
                if wasClosed { #expect(state.phase == .closed) }
                wasClosed = state.phase == .closed
            }
        }
    }
}
