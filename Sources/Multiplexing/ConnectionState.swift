package import BroadcasterWire

/// Decides when to connect, when to wait, and when to give up. A pure value.
package struct ConnectionState: Sendable {
    package enum Phase: Hashable, Sendable {
        /// Leads to: connecting.
        case idle
        /// Leads to: ready, waiting, closed.
        case connecting(deadline: Instant)
        /// Leads to: waiting.
        case ready(since: Instant)
        /// Leads to: connecting.
        case waiting(until: Instant)
        case closed
    }

    package enum Decision: Hashable, Sendable {
        case connect(deadline: Instant)
        case wait(until: Instant)
        /// `connect()` throws this; no further attempt is made.
        case giveUp(ConnectionFailure)
        case nothing
    }

    package private(set) var phase = Phase.idle
    private let connectTimeout: Duration
    private let waitsForServer: Bool
    private let backoff: Backoff
    /// Attempts in vain since the connection last held.
    private var attempts = 0
    /// Servers to try, one after the other, before it can be said that none will do.
    private let endpoints: Int
    private var tried = 0
    private var hasBeenReady = false
    /// When `connect()` must have succeeded or failed.
    private var firstDeadline: Instant?

    /// - Parameter waitsForServer: `connect()` also waits for a server that is not there yet.
    package init(
        connectTimeout: Duration, waitsForServer: Bool, endpoints: Int = 1,
        backoff: Backoff = Backoff()
    ) {
        self.endpoints = endpoints
        self.connectTimeout = connectTimeout
        self.waitsForServer = waitsForServer
        self.backoff = backoff
    }

    package var isReady: Bool {
        if case .ready = phase { true } else { false }
    }

    /// What the attempt under way may take, if it does not begin late.
    package private(set) var connectTime = Duration.zero

    package var isClosed: Bool { phase == .closed }

    /// When an attempt under way is given up.
    package var connectDeadline: Instant? {
        if case .connecting(let deadline) = phase { deadline } else { nil }
    }

    /// When something is next to be decided.
    package var deadline: Instant? {
        if case .waiting(let until) = phase { until } else { connectDeadline }
    }

    package mutating func start(at now: Instant) -> Decision {
        guard phase == .idle else { return .nothing }
        firstDeadline = waitsForServer ? nil : now + connectTimeout
        return connect(at: now)
    }

    /// Until the first success, the servers of a list share the time of `connect()`: the first may be silent.
    private mutating func connect(at now: Instant) -> Decision {
        connectTime = connectTimeout
        if !hasBeenReady, let firstDeadline, tried < endpoints - 1 {
            connectTime = max(firstDeadline - now, .zero) / (endpoints - tried)
        }
        let limit = hasBeenReady ? nil : firstDeadline
        let deadline = min(now + connectTime, limit ?? now + connectTime)
        phase = .connecting(deadline: deadline)
        return .connect(deadline: deadline)
    }

    package mutating func ready(at now: Instant) {
        guard case .connecting = phase else { return }
        hasBeenReady = true
        tried = 0
        phase = .ready(since: now)
    }

    /// An attempt failed, or the connection was lost.
    package mutating func failed(
        _ failure: ConnectionFailure, at now: Instant, chance: Double
    ) -> Decision {
        switch phase {
        case .idle, .waiting, .closed: return .nothing
        case .connecting where triesNext(failure, now):
            tried += 1
            phase = .waiting(until: now)
            return .wait(until: now)
        case .connecting where isFinal(failure, now):
            phase = .closed
            return .giveUp(failure)
        case .ready(let since) where now - since >= backoff.longest: attempts = 0
        case .connecting, .ready: break
        }
        tried = 0
        var until = now + backoff.delay(attempt: attempts, chance: chance)
        attempts += 1
        if case .rejected(let rejection) = failure, rejection.kind == .authentication {
            // A changed password does not heal in milliseconds, and servers log every attempt.
            until = now + max(.seconds(5), backoff.longest)
        }
        if !hasBeenReady, let firstDeadline { until = min(until, firstDeadline) }
        phase = .waiting(until: until)
        return .wait(until: until)
    }

    /// Another server may do where this one cannot be reached or is of the wrong kind. (One that refuses the
    /// password is believed, as libpq does.)
    private func triesNext(_ failure: ConnectionFailure, _ now: Instant) -> Bool {
        if tried + 1 >= endpoints { return false }
        if let firstDeadline, !hasBeenReady, now >= firstDeadline { return false }
        switch failure {
        case .unreachable, .timedOut, .lost: return true
        case .rejected(let rejection):
            return rejection.kind == .unsuitable || rejection.kind == .temporary
        case .protocolViolation, .cancelled, .closed: return false
        }
    }

    /// Whether `connect()` throws this at once. Nothing is final after the first success.
    private func isFinal(_ failure: ConnectionFailure, _ now: Instant) -> Bool {
        if hasBeenReady { return false }
        if let firstDeadline, now >= firstDeadline { return true }
        switch failure {
        case .rejected(let rejection): return rejection.kind != .temporary
        case .protocolViolation, .cancelled, .closed: return true
        case .unreachable, .timedOut, .lost: return !waitsForServer
        }
    }

    package mutating func timeReached(_ now: Instant) -> Decision {
        guard case .waiting(let until) = phase, now >= until else { return .nothing }
        return connect(at: now)
    }

    package mutating func close() {
        phase = .closed
    }
}
