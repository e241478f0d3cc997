import BroadcasterSockets
import BroadcasterWire

/// How a session is lost, and how the runner ends.
extension SessionRunner {
    var downReason: String {
        lastFailure.map { "no connection in time: \($0)" } ?? "no room to send in time"
    }

    /// The session is over. What it knew is forgotten; what was sent and not answered is told.
    func lose(_ failure: ConnectionFailure) {
        guard session != nil else { return }
        let wasReady = state.isReady
        let now = Instant.now
        closeLanes()
        session = nil
        topicsAsked.count = 0
        lastFailure = failure
        if stopping != nil { return end(.closed) }
        if wasReady {
            hub.disconnected(at: now, reason: failure.description)
            publishes.connectionLost(failure.description)
        } else {
            endpoint += 1
        }
        failPings(failure)
        let decision = state.failed(failure, at: now, chance: .random(in: 0...1))
        if case .wait(let until) = decision {
            observers.status(.down(failure, retryIn: until - now))
            observers.log(.lost(failure, retryIn: until - now))
        }
        follow(decision)
    }

    private func closeLanes() {
        generation += 1
        lanes.close()
        output = SessionOutput()
    }

    private func failPings(_ failure: ConnectionFailure) {
        for ping in pings { ping.caller?.resume(returning: failure) }
        pings = []
    }

    // MARK: Stopping

    /// Lets publishes that are under way be answered, says goodbye, and ends; all within `within`.
    func stop(within limit: Duration) {
        hub.close()
        // Whoever stops it again waits for the same end.
        guard stopping == nil else { return }
        guard state.isReady else { return end(.closed) }
        stopping = Stopping(deadline: .now + limit)
        turn()
    }

    func goOnStopping() {
        guard let current = stopping, !current.hasSaidGoodbye, publishes.isIdle else { return }
        stopping?.hasSaidGoodbye = true
        perform(.close)
        send()
        // The server answers by closing, which ends us; FIN, not RST: what it sends is read until then.
        post { $0.lanes.finishWriting() }
    }

    /// For good.
    func end(_ failure: ConnectionFailure) {
        closeLanes()
        session = nil
        stopping = nil
        if let timer { loop.cancel(timer.timer) }
        timer = nil
        let isFirst = !state.isClosed
        state.close()
        failPings(failure)
        hub.close()
        publishes.close()
        observers.status(.closed)
        if isFirst { observers.log(.closed) }
        gate.open(.failure(failure))
        gate.end()
    }
}
