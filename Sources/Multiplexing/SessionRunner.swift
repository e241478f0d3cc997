import BroadcasterSockets
import BroadcasterWire

/// Keeps one session alive over its streams: connects, hands over bytes and commands, carries out the
/// session's wishes, notices its end, and begins again.
///
/// The actor lives on its host's executor, and the host's callbacks enter it without a hop. Subscribers and publishers
/// speak to the hub and the publish queue, which have locks and signal the runner: it comes by in its next turn and
/// takes all that has gathered there. All deciding is done by values (`ConnectionState`, `UnansweredRequests`,
/// `Shutdown`, the session itself); this is what acts.
actor SessionRunner {
    nonisolated let host: any RunnerHost
    private nonisolated let backend: any Backend
    private nonisolated let passwords: PasswordSource?
    nonisolated let limits: ConnectionLimits
    /// The calls that wait for the first `ready`, or the end.
    nonisolated let outcome: ConnectOutcome

    var state: ConnectionState
    var session: (any Session)?
    var output = SessionOutput()
    var lanes = LaneSet()
    var dispatcher: EventDispatcher
    var shutdown = Shutdown.notBegun
    var timer: (at: Instant, cancel: @Sendable () -> Void)?
    /// The passwords that were looked up for this session.
    private var foundPasswords: Set<String> = []
    /// Counts sessions: an event that ends one must not be followed by others of its own.
    private var generation = 0
    private var isFlushScheduled = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe host.executor }

    /// - Parameter passwords: what goes before the backend's own source of them.
    init(
        on host: any RunnerHost, backend: any Backend, passwords: PasswordSource?,
        limits: ConnectionLimits,
        dispatcher: EventDispatcher, outcome: ConnectOutcome
    ) {
        self.host = host
        self.backend = backend
        self.passwords = passwords ?? backend.passwords
        self.limits = limits
        self.dispatcher = dispatcher
        self.outcome = outcome
        state = ConnectionState(
            servers: backend.endpoints, connectTimeout: limits.connectTimeout,
            waitsForServer: limits.waitsForServer)
    }

    var hub: Hub { dispatcher.hub }
    var publishes: PublishQueue { dispatcher.publishes }
    var observers: Observers { dispatcher.observers }

    /// Runs `body` in the runner's next turn. False if the host has stopped.
    @discardableResult
    nonisolated func post(_ body: @escaping @Sendable (isolated SessionRunner) -> Void) -> Bool {
        host.execute { [self] in assumeIsolated(body) }
    }

    // MARK: Connecting

    func start() {
        let decision = state.start(at: host.now)
        // Not when it has begun before, or has ended.
        guard case .connect = decision else { return }
        let signal: @Sendable () -> Void = { [weak self] in self?.post { $0.turn() } }
        hub.open(signal: signal)
        publishes.open(signal: signal)
        follow(decision)
    }

    func follow(_ decision: ConnectionState.Decision) {
        switch decision {
        case .connect(let endpoint, let deadline):
            observers.status(.connecting)
            session = backend.makeSession()
            dial(.main, endpoint, isLogin: true, deadline: deadline)
        case .wait(let until, let failure):
            let delay = until - host.now
            observers.status(.down(failure, retryIn: delay))
            observers.log(.lost(failure, retryIn: delay))
        case .giveUp(let failure): end(failure)
        case .nothing: break
        }
        rearm()
    }

    /// Ends a wait for the next attempt: there is reason to believe that the server is back.
    func retryNow() {
        follow(state.retryNow(at: host.now))
    }

    private func dial(_ lane: Lane, _ endpoint: Endpoint, isLogin: Bool, deadline: Instant) {
        lanes.dial(
            lane, endpoint, passwords: isLogin ? passwords : nil, deadline: deadline, on: host
        ) { [weak self] report in
            self?.assumeIsolated { $0.handle(report) }
        }
    }

    // MARK: Lanes

    private func handle(_ report: LaneSet.Report) {
        // The two see to it that the lane is still there.
        if let change = lanes.write(report) { handle(change) }
        if let change = lanes.read(report) { handle(change) }
    }

    private func handle(_ change: LaneSet.Change) {
        let now = host.now
        switch change {
        case .opened(let lane, let peer):
            if let found = peer.password, !found.isEmpty { foundPasswords.insert(found) }
            session?.opened(lane, to: peer, at: now, into: &output)
            carryOut()
        case .wrote(let lane):
            if publishes.sentCount == 1 {
                // A large message is on its way, and answered when it is there.
                dispatcher.progressed(at: now)
                session?.wrote(on: lane, at: now)
            }
            carryOut()
        case .received(let lane, let transport, let count):
            received(count, on: lane, transport, at: now)
            if count >= Transport.muchAtOnce { host.coalesceReads() }
        case .failed(let lane, let failure):
            lanes.remove(lane)
            output.discard(lane)
            switch session?.lost(lane, failure, at: now, into: &output) {
            case .survived: carryOut()
            case .ended: lose(ConnectionFailure(failure))
            case nil: break
            }
        }
    }

    private func received(
        _ count: Int, on lane: Lane, _ transport: Transport, at now: Instant
    ) {
        observers.trace(
            received: transport.received.bytes.suffix(count), on: lane, secrets(on: lane))
        do throws(ProtocolError) {
            try session?.receive(&transport.received, on: lane, at: now, into: &output)
            guard transport.received.count <= limits.unparsedBytes else {
                throw ProtocolError(
                    "more than \(limits.unparsedBytes) bytes came that are no whole message")
            }
            carryOut()
        } catch {
            violated(error)
        }
    }

    /// Ends the session for its peer's fault. What it understood before that still counts.
    func violated(_ error: ProtocolError) {
        observers.trace?(TranscriptLine.error(error))
        let generation = generation
        carryOut()
        guard generation == self.generation else { return }
        switch error.kind {
        case .silence: lose(.lost(error.description))
        case .violation: lose(.protocolViolation(error.description))
        }
    }

    /// Servers see the secrets in a handshake, and some repeat them in an error. All lanes but the main one may log in
    /// at any time.
    private func secrets(on lane: Lane) -> [String] {
        state.isReady && lane == .main ? [] : backend.secrets + foundPasswords
    }

    // MARK: The session's wishes

    /// Carries out what the session wants, and hands it what waits. Follows each input that the session has had.
    func carryOut() {
        dialWishes()
        guard handleEvents() else { return }
        while sendPublishes() { guard handleEvents() else { return } }
        send()
        for lane in output.takeFinished() { lanes.finish(lane) }
        sayGoodbyeIfDone()
        rearm()
    }

    func dialWishes() {
        for wish in output.takeConnections() where !lanes.has(wish.lane) {
            dial(
                wish.lane, wish.endpoint ?? state.servers.current, isLogin: wish.isLogin,
                deadline: state.connectDeadline ?? host.now + limits.connectTimeout)
        }
    }

    /// False if the session has ended.
    private func handleEvents() -> Bool {
        let generation = generation
        while case let events = output.takeEvents(), !events.isEmpty {
            let now = host.now
            for event in events where !dispatcher.take(event, at: now) {
                handle(event)
                // A rejection ends the session, and what it said after that does not count.
                if generation != self.generation { return false }
            }
            if let rejection = dispatcher.takeUnsuitable() {
                lose(.rejected(rejection))
                return false
            }
            if dispatcher.hasTopicsChanged { reconcile() }
        }
        return true
    }

    private func handle(_ event: Event) {
        switch event {
        case .ready(let identity): becameReady(identity)
        case .rejected(let rejection): lose(.rejected(rejection))
        case .redirected(let endpoints): redirect(to: endpoints)
        default: break
        }
    }

    private func becameReady(_ identity: ServerIdentity) {
        state.ready(at: host.now)
        observers.status(.ready(identity))
        observers.log(.connected(identity, state.servers.current))
        outcome.settle(.success(identity))
        dispatcher.connected()
    }

    // MARK: Commands

    /// Takes what has gathered in the hub and the publish queue.
    func turn() {
        if state.isReady, !shutdown.hasSaidGoodbye {
            reconcile()
            carryOut()
        } else {
            hub.acknowledgeSignal()
            publishes.acknowledgeSignal()
            rearm()
        }
    }

    private func reconcile() {
        for command in dispatcher.takeTopicCommands(at: host.now) { perform(command) }
    }

    /// Hands messages to the session while not too many bytes wait for the streams. The others stay in the
    /// queue, where their publishers wait. True if there were any.
    private func sendPublishes() -> Bool {
        var isSending = false
        while state.isReady, publishes.hasUnsent {
            let share = limits.share(of: session?.intake ?? .none, unsent: lanes.unsentCount)
            let publications = publishes.takeUnsent(limit: share.bytes, count: share.count)
            if publications.isEmpty { break }
            perform(.publish(publications))
            send()
            isSending = true
            // The server has work while the rest is encoded.
            guard publishes.hasUnsent, flush() else { break }
        }
        return isSending
    }

    func perform(_ command: Command) {
        observers.trace?(TranscriptLine.command(command))
        session?.perform(command, at: host.now, into: &output)
    }

    func send() {
        output.drainBytes { lane, bytes in
            guard lanes.isOpen(lane) else { return }
            observers.trace(sent: bytes, on: lane, secrets(on: lane))
            lanes.append(&bytes, to: lane)
            if isFlushScheduled { return }
            // One write a turn, however much is added in it.
            isFlushScheduled = true
            post { $0.flushAll() }
        }
    }

    private func flushAll() {
        isFlushScheduled = false
        // What was held back for its size may go now.
        if flush(), publishes.hasUnsent { carryOut() }
    }

    /// False if the session was found to be lost.
    private func flush() -> Bool {
        for failure in lanes.flush() { handle(failure) }
        return session != nil
    }

    // MARK: Losing

    /// Goes on without the session: connects again, or gives up.
    func lose(_ failure: ConnectionFailure) {
        let isAnswered = dispatcher.requests.isEmpty && publishes.sentCount == 0
        guard endSession(failure) else { return }
        follow(
            state.failed(
                failure, at: host.now, chance: host.chance(), isAnswered: isAnswered))
    }

    private func redirect(to endpoints: [Endpoint]) {
        guard endSession(.lost("the server sends its clients elsewhere")) else { return }
        follow(state.redirected(to: endpoints, at: host.now, chance: host.chance()))
    }

    /// Ends the session. False if there is nothing to go on with: no session, or one that was to end.
    private func endSession(_ failure: ConnectionFailure) -> Bool {
        guard session != nil else { return false }
        dropSession(failure)
        if shutdown.hasBegun { end(.closed) }
        return !state.isClosed
    }

    func dropSession(_ failure: ConnectionFailure) {
        generation += 1
        lanes.removeAll()
        output = SessionOutput()
        session = nil
        foundPasswords = []
        dispatcher.disconnected(failure, wasReady: state.isReady, at: host.now)
    }
}
