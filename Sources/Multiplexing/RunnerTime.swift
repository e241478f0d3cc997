import BroadcasterSockets
import BroadcasterWire

/// What a runner does when a moment comes: deadlines of its own, of the session and of publishers.
extension SessionRunner {
    /// One timer for all: the state's, the session's and the publishers' next deadline.
    func rearm() {
        let publishing = publishes.deadlines
        let next = [
            state.deadline, session?.deadline, publishing.next, stopping?.deadline,
            answerDeadline(oldestSent: publishing.oldestSent),
        ].compactMap { $0 }.min()
        // A timer that comes too early finds nothing to do and arms the next one; that is cheaper than
        // a new timer for every publish.
        guard let next, timer.map({ next < $0.at }) ?? true else { return }
        if let timer { loop.cancel(timer.timer) }
        let scheduled = loop.schedule(at: next.onClock) { [weak self] in
            self?.assumeIsolated { $0.timeReached() }
        }
        timer = (next, scheduled)
    }

    /// When a server that goes on sending, which satisfies its heartbeat, and answers nothing is given up. One that answers
    /// slowly is not.
    ///
    /// - Parameter oldestSent: until when the answer to a message that is due next was waited for.
    private func answerDeadline(oldestSent: Instant?) -> Instant? {
        let since = [oldestSent, pings.first?.since].compactMap { $0 }.min()
        let answer = since.map { max($0, lastProgress) + limits.answerTimeout }
        // A session may look into what was confirmed before it says so.
        let topics =
            topicsAsked.count > 0
            ? topicsAsked.since + max(limits.answerTimeout, .seconds(10)) : nil
        return [answer, topics].compactMap { $0 }.min()
    }

    /// What has kept us from connecting, where it is known: a server that has too many clients, say.
    private var lateReason: String {
        switch lastFailure {
        case .timedOut, nil: "not connected within \(state.connectTime)"
        case let failure?: "not connected within \(state.connectTime): \(failure)"
        }
    }

    private func timeReached() {
        timer = nil
        let now = Instant.now
        publishes.expire(at: now, downReason)
        if let deadline = state.connectDeadline, now >= deadline {
            lose(.timedOut(lateReason))
        }
        if let stopping, now >= stopping.deadline { return end(.closed) }
        if let due = answerDeadline(oldestSent: publishes.deadlines.oldestSent), now >= due {
            // Much too late: it was we who were stopped. What has come meanwhile is read first.
            guard now - due < limits.answerTimeout else {
                lastProgress = now
                topicsAsked.since = now
                return rearm()
            }
            lose(.lost("the server sends, but has not answered for \(limits.answerTimeout)"))
        }
        if let deadline = session?.deadline, now >= deadline {
            do throws(ProtocolError) {
                try session?.timeReached(now, into: &output)
                settle()
            } catch {
                violated(error)
            }
        }
        follow(state.timeReached(now))
    }
}
