package import BroadcasterWire

/// Decides where and when to connect, when to wait, and when to give up. A pure value.
package struct ConnectionState: Sendable {
    package enum Phase: Hashable, Sendable {
        /// Leads to: connecting.
        case idle
        /// Leads to: ready, waiting, connecting (redirected), closed.
        case connecting(deadline: Instant)
        /// Leads to: waiting.
        case ready(since: Instant)
        /// Leads to: connecting.
        case waiting(until: Instant)
        case closed
    }

    package enum Decision: Hashable, Sendable {
        case connect(to: Endpoint, deadline: Instant)
        case wait(until: Instant, because: ConnectionFailure)
        /// `connect()` throws this; no further attempt is made.
        case giveUp(ConnectionFailure)
        case nothing
    }

    package private(set) var phase = Phase.idle
    package private(set) var servers: ServerList
    private let connectTimeout: Duration
    private let waitsForServer: Bool
    private let backoff: Backoff
    /// Attempts in vain since the connection last held.
    private var attempts = 0
    private var hasBeenReady = false
    /// The moment by which `connect()` must have succeeded or failed.
    private var firstDeadline: Instant?
    /// The time that the attempt under way may take, if it does not begin late.
    private var connectTime = Duration.zero
    /// The last failure of an attempt or a connection. It stays when a connection holds again: what has waited since
    /// before is told of it.
    private var lastFailure: (failure: ConnectionFailure, at: Instant)?
    /// The reason for which the connection was last lost.
    private var lastLoss: ConnectionFailure?
    /// A call that waits may still bring the next attempt forward, which happens once in each wait.
    package private(set) var canHurry = false

    /// - Parameters:
    ///   - servers: at least one.
    ///   - waitsForServer: whether `connect()` also waits for a server that is not there yet.
    package init(
        servers: [Endpoint], connectTimeout: Duration, waitsForServer: Bool,
        backoff: Backoff = Backoff()
    ) {
        self.servers = ServerList(servers)
        self.connectTimeout = connectTimeout
        self.waitsForServer = waitsForServer
        self.backoff = backoff
    }

    init(servers: [Endpoint], _ limits: ConnectionLimits) {
        self.init(
            servers: servers, connectTimeout: limits.connectTimeout,
            waitsForServer: limits.waitsForServer,
            backoff: Backoff(longest: limits.longestRetryDelay))
    }

    package var isReady: Bool {
        if case .ready = phase { true } else { false }
    }

    package var isClosed: Bool { phase == .closed }

    /// The moment at which an attempt under way is given up.
    package var connectDeadline: Instant? {
        if case .connecting(let deadline) = phase { deadline } else { nil }
    }

    /// The moment of the next decision.
    package var deadline: Instant? {
        if case .waiting(let until) = phase { until } else { connectDeadline }
    }

    /// The failure of an attempt that takes too long, with the server's last reason, where one is known: it has too many
    /// clients, say.
    package var lateFailure: ConnectionFailure {
        switch lastFailure?.failure {
        case .timedOut, nil: .timedOut("not connected within \(connectTime.text)")
        case let failure?: .timedOut("not connected within \(connectTime.text): \(failure)")
        }
    }

    // MARK: Reasons

    /// The reason for which a message that has waited since `start` was not sent.
    package func unsent(since start: Instant) -> String {
        outage(since: start) ?? "no room to send in time"
    }

    /// The failure of a subscription that was asked for at `start` and not confirmed.
    package func unconfirmed(since start: Instant) -> SubscriptionFailure {
        outage(since: start).map { .down($0) } ?? .timedOut
    }

    /// The failure of a request that needs a connection now; nil where there is one.
    package func refusal(at now: Instant) -> ConnectionFailure? {
        isClosed ? .closed : isReady ? nil : outage(since: now).map { .down($0) }
    }

    /// There is no connection, or the last one has ended since `start`; nil where one has held all the time.
    private func outage(since start: Instant) -> String? {
        switch lastFailure {
        case let last? where !isReady: "no connection: \(last.failure)"
        case let last? where last.at >= start:
            "not done in time, and the last connection ended: \(last.failure)"
        case nil where !isReady: "not connected yet"
        default: nil
        }
    }

    // MARK: Inputs

    package mutating func start(at now: Instant) -> Decision {
        guard phase == .idle else { return .nothing }
        firstDeadline = waitsForServer ? nil : now + connectTimeout
        return connect(at: now)
    }

    package mutating func ready(at now: Instant) {
        guard case .connecting = phase else { return }
        hasBeenReady = true
        servers.connected()
        phase = .ready(since: now)
    }

    /// The server has named others. They are tried within the time of the attempt under way; from a connection that
    /// has held, at once.
    package mutating func redirected(
        to endpoints: [Endpoint], at now: Instant, chance: Double
    ) -> Decision {
        switch phase {
        case .idle, .waiting, .closed: return .nothing
        case .connecting, .ready: break
        }
        let names = endpoints.prefix(3).map(\.description).joined(separator: ", ")
        guard servers.redirect(to: endpoints) else {
            let reason =
                endpoints.isEmpty
                ? "the server sends its clients elsewhere and does not say where"
                : "redirected \(ServerList.longestChain) times in a row, and now to \(names)"
            let rejection = Rejection(kind: .temporary, message: reason)
            return failed(.rejected(rejection), at: now, chance: chance)
        }
        switch phase {
        case .connecting(let deadline): return .connect(to: servers.current, deadline: deadline)
        case .ready(let since) where now - since >= backoff.steady:
            attempts = 0
            lastFailure = nil
            return connect(at: now)
        default:
            lastFailure = (.lost("the server sends its clients to \(names)"), now)
            return wait(backoffAt: now, chance: chance)
        }
    }

    /// The service has these servers too.
    package mutating func learned(_ endpoints: [Endpoint]) {
        servers.learn(endpoints)
    }

    /// An attempt failed, or the connection was lost.
    ///
    /// - Parameter isAnswered: whether the server had answered all that it was asked. A connection that ends again and
    ///   again for one reason, with requests unanswered, has not held, however long it lasted.
    package mutating func failed(
        _ failure: ConnectionFailure, at now: Instant, chance: Double, isAnswered: Bool = true
    ) -> Decision {
        switch phase {
        case .idle, .waiting, .closed: return .nothing
        case .connecting, .ready: lastFailure = (failure, now)
        }
        switch phase {
        case .connecting where triesNext(failure, now):
            servers.advance()
            phase = .waiting(until: now)
            return .wait(until: now, because: failure)
        case .connecting where isFinal(failure, now):
            phase = .closed
            return .giveUp(failure)
        case .connecting:
            servers.advance()
            servers.beginRound()
        case .ready(let since):
            let hasHeld = isAnswered || failure != lastLoss
            if hasHeld, now - since >= backoff.steady { attempts = 0 }
            lastLoss = failure
            servers.lost()
        case .idle, .waiting, .closed: break
        }
        if case .rejected(let rejection) = failure,
            rejection.kind == .authentication || rejection.kind == .permission
        {
            // A changed password, or right, does not heal in milliseconds, and servers log every attempt.
            attempts += 1
            return wait(until: now + max(.seconds(5), backoff.longest))
        }
        return wait(backoffAt: now, chance: chance)
    }

    package mutating func timeReached(_ now: Instant) -> Decision {
        guard case .waiting(let until) = phase, now >= until else { return .nothing }
        return connect(at: now)
    }

    /// Ends a wait: there is reason to believe that the server is back.
    package mutating func retryNow(at now: Instant) -> Decision {
        guard case .waiting = phase else { return .nothing }
        return connect(at: now)
    }

    /// A call waits for the connection: the next attempt is brought forward, once in each wait, and comes within `limit`.
    ///
    /// Its moment is drawn once more, and the earlier of the two counts: so the clients of a server that restarts stay
    /// spread over the interval, however many calls wait in each.
    package mutating func hurry(at now: Instant, limit: Duration, chance: Double) {
        guard canHurry, case .waiting(let until) = phase else { return }
        canHurry = false
        let delay = backoff.delay(attempt: attempts - 1, chance: chance, limit: limit)
        phase = .waiting(until: min(until, now + delay))
    }

    /// The same within the limits of a driver.
    mutating func hurry(at now: Instant, _ limits: ConnectionLimits, _ chance: Double) {
        hurry(at: now, limit: limits.longestHurry, chance: chance)
    }

    package mutating func close() {
        phase = .closed
    }

    // MARK: Decisions

    /// Until the first success, the servers of a list share the time of `connect()`: the first may be silent.
    private mutating func connect(at now: Instant) -> Decision {
        connectTime = connectTimeout
        if !hasBeenReady, let firstDeadline, servers.hasNext {
            connectTime = max(firstDeadline - now, .zero) / servers.left
        }
        let limit = hasBeenReady ? nil : firstDeadline
        let deadline = min(now + connectTime, limit ?? now + connectTime)
        canHurry = false
        phase = .connecting(deadline: deadline)
        return .connect(to: servers.current, deadline: deadline)
    }

    private mutating func wait(backoffAt now: Instant, chance: Double) -> Decision {
        defer { attempts += 1 }
        canHurry = true
        return wait(until: now + backoff.delay(attempt: attempts, chance: chance))
    }

    private mutating func wait(until moment: Instant) -> Decision {
        var until = moment
        if !hasBeenReady, let firstDeadline { until = min(until, firstDeadline) }
        phase = .waiting(until: until)
        return .wait(until: until, because: lastFailure?.failure ?? .closed)
    }

    /// Another server may do where this one cannot be reached or is of the wrong kind. (One that refuses the
    /// password is believed, as libpq does.)
    private func triesNext(_ failure: ConnectionFailure, _ now: Instant) -> Bool {
        if !servers.hasNext { return false }
        if let firstDeadline, !hasBeenReady, now >= firstDeadline { return false }
        switch failure {
        case .unreachable, .timedOut, .lost, .insecure: return true
        case .rejected(let rejection):
            return rejection.kind == .unsuitable || rejection.kind == .temporary
        case .protocolViolation, .down, .cancelled, .closed: return false
        }
    }

    /// Whether `connect()` throws this at once. Nothing is final after the first success.
    private func isFinal(_ failure: ConnectionFailure, _ now: Instant) -> Bool {
        if hasBeenReady { return false }
        if let firstDeadline, now >= firstDeadline { return true }
        switch failure {
        case .rejected(let rejection): return rejection.kind != .temporary
        case .protocolViolation, .insecure, .down, .cancelled, .closed: return true
        case .unreachable, .timedOut, .lost: return !waitsForServer
        }
    }
}
