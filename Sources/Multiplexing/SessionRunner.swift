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
    nonisolated let limits: ConnectionLimits

    var state: ConnectionState
    /// nil between two sessions.
    var conversation: Conversation?
    var lanes: LaneSet
    var dispatcher: EventDispatcher
    var shutdown = Shutdown.notBegun
    var timer = TurnTimer()
    /// Counts sessions: an event that ends one must not be followed by others of its own.
    private var generation = 0
    private var isFlushScheduled = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe host.executor }

    /// - Parameter passwords: the source that goes before the backend's own.
    init(
        on host: any RunnerHost, backend: any Backend, passwords: PasswordSource?,
        limits: ConnectionLimits, dispatcher: EventDispatcher
    ) {
        self.host = host
        self.backend = backend
        lanes = LaneSet(on: host, for: backend, passwords: passwords)
        self.limits = limits
        self.dispatcher = dispatcher
        state = ConnectionState(servers: backend.endpoints, limits)
    }

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
        lanes.open { [weak self] report in self?.assumeIsolated { $0.handle(report) } }
        follow(decision)
    }

    func follow(_ decision: ConnectionState.Decision) {
        switch decision {
        case .connect(let endpoint, let deadline):
            observers.status(.connecting)
            conversation = Conversation(with: backend, observers: observers, limits)
            lanes.dial(.main, endpoint, isLogin: true, deadline: deadline)
        case .wait(let until, let failure):
            let now = host.now
            dispatcher.waits(until - now, because: failure, at: now)
        case .giveUp(let failure): end(failure)
        case .nothing: break
        }
        rearm()
    }

    /// Ends a wait for the next attempt: there is reason to believe that the server is back.
    func retryNow() {
        follow(state.retryNow(at: host.now))
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
            conversation?.opened(lane, to: peer, at: now)
            carryOut()
        case .wrote(let lane):
            if publishes.sentCount == 1 {
                // A large message is on its way, and answered when it is there.
                dispatcher.progressed(at: now)
                conversation?.wrote(on: lane, at: now)
            }
            carryOut()
        case .received(let lane, let transport, let count):
            input { (conversation) throws(ProtocolError) in
                try conversation?.receive(&transport.received, count: count, on: lane, at: now)
            }
            if ReadPace.gathers(bytes: count, messages: dispatcher.takeCount()) {
                host.coalesceReads()
            }
        case .failed(let lane, let failure):
            lanes.remove(lane)
            switch conversation?.lost(lane, failure, at: now) {
            case .survived: carryOut()
            case .ended: lose(ConnectionFailure(failure))
            case nil: break
            }
        }
    }

    /// Gives the session an input, and carries out what it wants. A fault of its peer ends it; what it understood before
    /// that still counts.
    func input(_ body: (Conversation?) throws(ProtocolError) -> Void) {
        do throws(ProtocolError) {
            try body(conversation)
            carryOut()
        } catch {
            observers.trace?(TranscriptLine.error(error))
            let generation = generation
            carryOut()
            if generation == self.generation { lose(ConnectionFailure(error)) }
        }
    }

    // MARK: The session's wishes

    /// Carries out what the session wants, and hands it what waits. Follows each input that the session has had.
    func carryOut() {
        dialWishes()
        guard handleEvents() else { return }
        while sendPublishes() { guard handleEvents() else { return } }
        // What was asked again may need a lane again.
        dialWishes()
        send()
        finishLanes()
        sayGoodbyeIfDone()
        rearm()
    }

    func dialWishes() {
        lanes.dial(
            conversation?.output.takeConnections() ?? [], current: state.servers.current,
            deadline: state.connectDeadline ?? host.now + limits.connectTimeout)
    }

    /// False if the session has ended.
    private func handleEvents() -> Bool {
        let generation = generation
        while let events = conversation?.output.takeEvents(), !events.isEmpty {
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
        case .ready(let identity):
            state.ready(at: host.now)
            conversation?.becameReady()
            dispatcher.connected(to: state.servers.current, lanes.secured(identity))
        case .rejected(let rejection): lose(.rejected(rejection))
        case .redirected(let endpoints):
            guard endSession(.lost("the server sends its clients elsewhere")) else { return }
            follow(state.redirected(to: endpoints, at: host.now, chance: host.chance()))
        case .learned(let endpoints): state.learned(endpoints)
        case .changed(let identity): observers.status(.ready(lanes.secured(identity)))
        default: break
        }
    }

    // MARK: Commands

    /// Takes what has gathered in the hub and the publish queue.
    func turn() {
        if state.isReady, !shutdown.hasSaidGoodbye {
            reconcile()
            carryOut()
        } else {
            dispatcher.acknowledgeSignals()
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
            let share = limits.share(of: conversation?.intake ?? .none, unsent: lanes.unsentCount)
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
        conversation?.perform(command, at: host.now)
    }

    func send() {
        guard conversation?.send(on: lanes) == true, !isFlushScheduled else { return }
        // One write a turn, however much is added in it.
        isFlushScheduled = true
        post { $0.flushAll() }
    }

    private func flushAll() {
        isFlushScheduled = false
        // What was held back for its size may go now.
        if flush(), publishes.hasUnsent { carryOut() }
    }

    /// False if the session was found to be lost.
    private func flush() -> Bool {
        for failure in lanes.flush() { handle(failure) }
        return conversation != nil
    }

    func finishLanes() {
        for lane in conversation?.takeFinished() ?? [] { lanes.finish(lane) }
    }

    // MARK: Losing

    /// Goes on without the session: connects again, or gives up.
    func lose(_ failure: ConnectionFailure) {
        let isAnswered = dispatcher.requests.isEmpty && publishes.sentCount == 0
        guard endSession(failure) else { return }
        let (now, chance) = (host.now, host.chance())
        follow(state.failed(failure, at: now, chance: chance, isAnswered: isAnswered))
    }

    /// Ends the session. False if there is nothing to go on with: no session, or one that was to end.
    private func endSession(_ failure: ConnectionFailure) -> Bool {
        guard conversation != nil else { return false }
        dropSession(failure)
        if shutdown.hasBegun { end(.closed) }
        return !state.isClosed
    }

    func dropSession(_ failure: ConnectionFailure) {
        generation += 1
        lanes.removeAll()
        let since = conversation.take()?.heardOnAll ?? host.now
        dispatcher.disconnected(failure, wasReady: state.isReady, since: since)
    }
}
