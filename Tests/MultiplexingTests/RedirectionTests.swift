import BroadcasterMultiplexing
import BroadcasterWire
import Testing

/// Redirections as the state of the connection decides about them.
struct RedirectionTests {
    private let start = Instant.now
    private let sentinel = Endpoint.tcp(host: "sentinel", port: 1)
    private let other = Endpoint.tcp(host: "other", port: 1)
    private let master = Endpoint.tcp(host: "master", port: 2)

    private func connecting(_ servers: [Endpoint], waits: Bool = false) -> ConnectionState {
        var state = ConnectionState(
            servers: servers, connectTimeout: .seconds(5), waitsForServer: waits)
        _ = state.start(at: start)
        return state
    }

    @Test func theTimeOfConnectGoesOn() {
        var state = connecting([sentinel])
        let decision = state.redirected(to: [master], at: start + .seconds(3), chance: 1)
        #expect(decision == .connect(to: master, deadline: start + .seconds(5)))
        state.ready(at: start + .seconds(4))
        #expect(state.isReady)
    }

    @Test func aRedirectIntoSilenceEndsWithItsTime() {
        var state = connecting([sentinel])
        _ = state.redirected(to: [master], at: start, chance: 1)
        let late = state.lateFailure
        #expect(state.connectDeadline == start + .seconds(5))
        #expect(state.failed(late, at: start + .seconds(5), chance: 1) == .giveUp(late))
    }

    /// The first of the list is sent into silence, and the second must have its chance.
    @Test func aRedirectIntoSilenceLeavesTimeForTheRestOfTheList() {
        var state = connecting([sentinel, other])
        let half = start + .milliseconds(2500)
        let decision = state.redirected(to: [master], at: start, chance: 1)
        #expect(decision == .connect(to: master, deadline: half))
        let silent = ConnectionFailure.timedOut("x")
        #expect(
            state.failed(silent, at: half, chance: 1) == .wait(until: half, because: silent))
        #expect(state.timeReached(half) == .connect(to: other, deadline: start + .seconds(5)))
    }

    @Test func aLoopIsTemporaryAndSaysSo() {
        var state = connecting([sentinel])
        for _ in 0..<ServerList.longestChain {
            guard case .connect = state.redirected(to: [sentinel], at: start, chance: 1) else {
                Issue.record("not followed")
                return
            }
        }
        guard
            case .wait(_, .rejected(let rejection)) = state.redirected(
                to: [sentinel], at: start, chance: 1)
        else {
            Issue.record("a loop without end")
            return
        }
        #expect(rejection.kind == .temporary)
        #expect(rejection.message == "redirected 5 times in a row, and now to sentinel:1")
        guard case .timedOut(let text) = state.lateFailure else {
            Issue.record("\(state.lateFailure)")
            return
        }
        #expect(text.contains("redirected 5 times"))
    }

    @Test func aRedirectionWithoutAServerSaysSo() {
        var state = connecting([sentinel])
        guard
            case .wait(_, .rejected(let rejection)) = state.redirected(
                to: [], at: start, chance: 1)
        else {
            Issue.record("followed to nowhere")
            return
        }
        #expect(rejection.message.contains("does not say where"))
    }

    @Test func aConnectionThatHasHeldIsFollowedAtOnceAndOneThatHasNotAfterAWait() {
        for (held, isAtOnce) in [(Duration.seconds(60), true), (.milliseconds(1), false)] {
            var state = connecting([sentinel])
            state.ready(at: start)
            let decision = state.redirected(to: [master], at: start + held, chance: 1)
            switch decision {
            case .connect(to: master, _): #expect(isAtOnce)
            case .wait(let until, _):
                #expect(!isAtOnce && until > start + held)
                guard case .connect(to: master, _) = state.timeReached(until) else {
                    Issue.record("forgotten")
                    return
                }
            default: Issue.record("\(decision)")
            }
        }
    }

    @Test func aWaitCanBeEnded() {
        var state = connecting([sentinel], waits: true)
        #expect(state.retryNow(at: start) == .nothing, "an attempt is under way")
        _ = state.failed(.unreachable("x"), at: start, chance: 1)
        guard case .connect(to: sentinel, _) = state.retryNow(at: start) else {
            Issue.record("still waiting")
            return
        }
        state.close()
        #expect(state.retryNow(at: start) == .nothing)
    }
}
