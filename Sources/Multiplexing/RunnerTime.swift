import BroadcasterSockets
import BroadcasterWire

/// Deadlines of the runner, of its session and of publishers; pings; and the end.
extension SessionRunner {
    /// Arms the timer for the state's, the session's and the publishers' next deadline.
    func rearm() {
        let publishing = publishes.deadlines
        if state.canHurry, dispatcher.isAwaited { state.hurry(at: host.now, limits, host.chance()) }
        let next = state.deadline.orEarlier(conversation?.deadline).orEarlier(publishing.next)
            .orEarlier(shutdown.deadline)
            .orEarlier(dispatcher.requests.deadline(oldestSent: publishing.oldestSent))
        guard let next, timer.isLate(for: next) else { return }
        timer.arm(at: next, on: host) { [weak self] in self?.assumeIsolated { $0.timeReached() } }
    }

    private func timeReached() {
        timer.fired()
        let now = host.now
        publishes.expire(
            at: now, conversation?.hold ?? state.unsent(since: now - limits.publishTimeout))
        if let deadline = state.connectDeadline, now >= deadline { lose(state.lateFailure) }
        if let deadline = shutdown.deadline, now >= deadline { return end(.closed) }
        if let due = dispatcher.requests.deadline(oldestSent: publishes.deadlines.oldestSent),
            now >= due
        {
            // Much too late: this process was suspended.
            guard now - due < limits.answerTimeout else {
                dispatcher.excuse(at: now)
                return rearm()
            }
            lose(.lost("the server sends, but has not answered for \(limits.answerTimeout.text)"))
        }
        if let deadline = conversation?.deadline, now >= deadline {
            input { (conversation) throws(ProtocolError) in try conversation?.timeReached(now) }
        }
        follow(state.timeReached(now))
    }

    // MARK: Pings

    func ping(_ number: Int, _ caller: EventDispatcher.PingCaller) {
        if let failure = state.refusal(at: host.now) { return caller.resume(returning: failure) }
        perform(dispatcher.ping(number, caller, at: host.now))
        carryOut()
    }

    // MARK: The end

    /// Lets publishes that are under way be answered, says goodbye, and ends; all within `limit`.
    func stop(within limit: Duration) {
        dispatcher.hub.close()
        // A second call waits for the same end.
        guard !shutdown.hasBegun else { return }
        guard state.isReady else { return end(.closed) }
        shutdown.begin(deadline: host.now + limit)
        turn()
    }

    func sayGoodbyeIfDone() {
        guard shutdown.advance(isIdle: publishes.isIdle) else { return }
        perform(.close)
        dialWishes()
        send()
        // The server answers by closing, which ends the session; FIN, not RST: what it sends is read until then.
        post { $0.lanes.finishWriting() }
        // Unless the session closes its lanes itself.
        finishLanes()
        if lanes.isEmpty { end(.closed) }
    }

    /// Ends permanently and fails everything still waiting.
    func end(_ failure: ConnectionFailure) {
        dropSession(failure)
        shutdown = .over
        timer.cancel()
        dispatcher.end(failure, isFirst: !state.isClosed)
        state.close()
    }
}
