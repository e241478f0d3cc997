import BroadcasterSockets
import BroadcasterWire

/// Deadlines of the runner, of its session and of publishers; pings; and the end.
extension SessionRunner {
    /// Arms one timer for all: the state's, the session's and the publishers' next deadline.
    func rearm() {
        let publishing = publishes.deadlines
        let next = [
            state.deadline, session?.deadline, publishing.next, shutdown.deadline,
            dispatcher.requests.deadline(oldestSent: publishing.oldestSent),
        ].compactMap { $0 }.min()
        // A timer that comes too early finds nothing to do and arms the next one; that is cheaper than
        // a new timer for every publish.
        guard let next, timer.map({ next < $0.at }) ?? true else { return }
        timer?.cancel()
        let cancel = host.scheduleTurn(at: next) { [weak self] in
            self?.assumeIsolated { $0.timeReached() }
        }
        timer = (next, cancel)
    }

    private func timeReached() {
        timer = nil
        let now = host.now
        publishes.expire(at: now, state.downReason)
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
            lose(.lost("the server sends, but has not answered for \(limits.answerTimeout)"))
        }
        if let deadline = session?.deadline, now >= deadline {
            do throws(ProtocolError) {
                try session?.timeReached(now, into: &output)
                carryOut()
            } catch {
                violated(error)
            }
        }
        follow(state.timeReached(now))
    }

    // MARK: Pings

    func ping(_ number: Int, _ caller: EventDispatcher.PingCaller) {
        guard state.isReady else { return caller.resume(returning: .closed) }
        perform(dispatcher.ping(number, caller, at: host.now))
        carryOut()
    }

    func cancelPing(_ number: Int) {
        dispatcher.cancelPing(number)
    }

    // MARK: The end

    /// Lets publishes that are under way be answered, says goodbye, and ends; all within `limit`.
    func stop(within limit: Duration) {
        hub.close()
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
    }

    /// Ends permanently and fails everything still waiting.
    func end(_ failure: ConnectionFailure) {
        dropSession(failure)
        shutdown = .over
        timer?.cancel()
        timer = nil
        let isFirst = !state.isClosed
        state.close()
        hub.close()
        publishes.close()
        observers.status(.closed)
        if isFirst { observers.log(.closed) }
        outcome.settle(.failure(failure))
        outcome.end()
    }
}
