import BroadcasterSockets
import BroadcasterWire

/// Keeps one session alive over its sockets: connects, hands over bytes and commands, carries out what
/// the session wants, notices its end, and begins again.
///
/// The actor lives on the event loop's thread; the loop's calls enter it without a hop. Whoever is
/// outside speaks to the hub and the publish queue, which have locks, and then says `hubChanged` or is
/// signalled: the runner comes by in its next turn and takes all that has gathered there.
actor SessionRunner {
    nonisolated let loop: EventLoop
    private nonisolated let backend: any Backend
    nonisolated let limits: ConnectionLimits
    nonisolated let hub: Hub
    nonisolated let publishes: PublishQueue
    nonisolated let observers: Observers
    /// Calls that wait for the first `ready`, or the end.
    nonisolated let gate: ConnectOutcome

    var state: ConnectionState
    var session: (any Session)?
    var output = SessionOutput()
    var lanes: LaneSet
    /// Counts sessions, so that what was begun for an earlier one is known as such.
    var generation = 0
    var endpoint = 0
    var timer: (at: Instant, timer: EventLoop.Timer)?
    var pings: [Ping] = []
    /// Topics that the server was asked for and has not answered, and when it last answered one.
    var topicsAsked: (count: Int, since: Instant) = (0, .now)
    /// When the server last answered anything, or took bytes of the one message that waits for its answer.
    var lastProgress = Instant.now
    private var isFlushScheduled = false
    /// The server has answered for a topic, and what is wanted of it may be something else by now.
    private var hasTopicsChanged = false
    private var lastWarning: Instant?
    var stopping: Stopping?
    var lastFailure: ConnectionFailure?

    /// A call of `ping` that the server has not answered. Whoever called may be gone; the place stays.
    struct Ping {
        let number: Int
        let since: Instant
        var caller: CheckedContinuation<ConnectionFailure?, Never>?
    }

    struct Stopping {
        let deadline: Instant
        var hasSaidGoodbye = false
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe loop.asUnownedSerialExecutor()
    }

    init(
        on loop: EventLoop, backend: any Backend, limits: ConnectionLimits, hub: Hub,
        publishes: PublishQueue, observers: Observers, gate: ConnectOutcome
    ) {
        self.loop = loop
        lanes = LaneSet(on: loop)
        self.backend = backend
        self.limits = limits
        self.hub = hub
        self.publishes = publishes
        self.observers = observers
        self.gate = gate
        state = ConnectionState(
            connectTimeout: limits.connectTimeout, waitsForServer: limits.waitsForServer,
            endpoints: backend.endpoints.count)
    }

    /// Runs `body` in the runner's next turn. False if the loop has ended.
    @discardableResult
    nonisolated func post(_ body: @escaping @Sendable (isolated SessionRunner) -> Void) -> Bool {
        loop.execute { [self] in assumeIsolated(body) }
    }

    // MARK: Connecting

    func start() {
        let decision = state.start(at: .now)
        // Not when it has begun before, or has ended.
        guard case .connect = decision else { return }
        hub.open()
        publishes.open()
        follow(decision)
    }

    func follow(_ decision: ConnectionState.Decision) {
        switch decision {
        case .nothing: break
        case .connect(let deadline):
            observers.status(.connecting)
            generation += 1
            session = backend.makeSession()
            output = SessionOutput()
            dial(.main, deadline: deadline)
        case .wait: break
        case .giveUp(let failure): end(failure)
        }
        rearm()
    }

    private func dial(_ lane: Lane, deadline: Instant) {
        let endpoints = backend.endpoints
        let generation = generation
        lanes.dial(lane, endpoints[endpoint % endpoints.count], deadline: deadline) {
            [weak self] result in
            self?.assumeIsolated { $0.dialed(lane, generation, result) }
        }
    }

    private func dialed(
        _ lane: Lane, _ generation: Int, _ result: Result<Socket, SocketError>
    ) {
        guard generation == self.generation, session != nil else { return }
        do throws(SocketError) {
            try lanes.add(try result.get(), as: lane) { [weak self] readiness in
                self?.assumeIsolated { $0.ready(lane, generation, readiness) }
            }
        } catch {
            return lose(lane, .unreachable(error.description))
        }
        session?.opened(lane, at: .now, into: &output)
        settle()
    }

    // MARK: Bytes

    private func ready(_ lane: Lane, _ generation: Int, _ readiness: Readiness) {
        guard generation == self.generation, let transport = lanes[lane] else { return }
        do throws(SocketError) {
            if readiness.contains(.writable) {
                try transport.flush(loop)
                if publishes.sentCount == 1 {
                    // A large message is on its way, and answered when it is there.
                    lastProgress = .now
                    session?.wrote(on: lane)
                }
                afterWriting()
                guard generation == self.generation, lanes[lane] === transport else { return }
            }
            if readiness.isDisjoint(with: [.readable, .failed]) { return }
            let before = transport.received.count
            switch try transport.read() {
            case .wouldBlock: return
            case .end: return lose(lane, .lost("the server closed the connection"))
            case .bytes(let count):
                received(count, before, transport, lane)
                if count >= Transport.muchAtOnce { loop.coalesceReads() }
            }
        } catch {
            lose(lane, .lost(error.description))
        }
    }

    /// One of the session's connections is gone.
    private func lose(_ lane: Lane, _ failure: ConnectionFailure) {
        guard lane != .main, session?.lost(lane, into: &output) == true else {
            return lose(failure)
        }
        lanes.finish(lane)
        settle()
    }

    private func received(_ count: Int, _ before: Int, _ transport: Transport, _ lane: Lane) {
        if let trace = observers.trace {
            let all = transport.received
            let new = all.bytes[(all.start + before)...]
            trace(TranscriptLine.received(new, on: lane, secret: secret(on: lane)))
        }
        do throws(ProtocolError) {
            try session?.receive(&transport.received, on: lane, into: &output)
            guard transport.received.count <= limits.unparsedBytes else {
                throw ProtocolError(
                    "more than \(limits.unparsedBytes) bytes came that are no whole message")
            }
            settle()
        } catch {
            violated(error)
        }
    }

    /// What the session understood before the fault still counts.
    func violated(_ error: ProtocolError) {
        observers.trace?(TranscriptLine.error(error))
        let generation = generation
        settle()
        guard generation == self.generation else { return }
        lose(error.isSilence ? .lost(error.description) : .protocolViolation(error.description))
    }

    /// There is room again: go on with what was held back.
    private func afterWriting() {
        sendPublishes()
        settle()
    }

    // MARK: The session's output

    /// Carries out what the session wants: lanes, bytes, events.
    func settle() {
        for lane in output.takeWantedLanes() {
            dial(lane, deadline: state.connectDeadline ?? .now + limits.connectTimeout)
        }
        send()
        for lane in output.takeFinishedLanes() { lanes.finish(lane) }
        guard handleEvents() else { return }
        // The session may have room for what it did not take before.
        if publishes.hasUnsent, session?.publishCapacity ?? 0 > 0 {
            sendPublishes()
            send()
        }
        goOnStopping()
        rearm()
    }

    /// False if the session has ended.
    private func handleEvents() -> Bool {
        let generation = generation
        while case let events = output.takeEvents(), !events.isEmpty {
            for event in events {
                observers.trace(event, hub)
                handle(event)
                // A rejection ends the session, and what it said after that does not count.
                if generation != self.generation { return false }
            }
            if hasTopicsChanged { reconcile() }
        }
        return true
    }

    func send() {
        for lane in LaneSet.all {
            guard let transport = lanes[lane], !output[lane].isEmpty else { continue }
            if let trace = observers.trace {
                trace(TranscriptLine.sent(output[lane], on: lane, secret: secret(on: lane)))
            }
            transport.append(&output[lane])
            scheduleFlush()
        }
    }

    /// Servers see it in the handshake, and some repeat it in an error. A second lane may log in at any time.
    private func secret(on lane: Lane) -> String? {
        state.isReady && lane == .main ? nil : backend.secret
    }

    /// One write a turn, however much was added in it.
    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        post { $0.flushAll() }
    }

    private func flushAll() {
        isFlushScheduled = false
        // What was held back for its size may go now.
        if flush(), publishes.hasUnsent { afterWriting() }
    }

    /// False if the connection was found to be lost.
    private func flush() -> Bool {
        for lane in LaneSet.all {
            do throws(SocketError) {
                try lanes[lane]?.flush(loop)
            } catch {
                lose(lane, .lost(error.description))
            }
        }
        return session != nil
    }

    private func handle(_ event: Event) {
        switch event {
        case .messages(let block): hub.deliver(block)
        case .undeliverable(let topic, let reason): hub.undeliverable(topic, reason)
        case .published(let acceptance):
            lastProgress = .now
            publishes.accepted(acceptance)
        case .publishRefused(let ticket, let rejection):
            lastProgress = .now
            publishes.refused(ticket, rejection)
        case .subscribed(let topic):
            topicAnswered()
            hub.confirmed(topic, at: lastProgress)
        case .unsubscribed(let topic):
            topicAnswered()
            hub.unsubscribed(topic)
        case .subscriptionRefused(let topic, let rejection):
            topicAnswered()
            if let name = hub.name(of: topic) { observers.log(.refused(name, rejection)) }
            hub.refused(topic, rejection, at: lastProgress)
        case .ready(let identity): becameReady(identity)
        case .rejected(let rejection): lose(.rejected(rejection))
        case .answered:
            lastProgress = .now
            if !pings.isEmpty { pings.removeFirst().caller?.resume(returning: nil) }
        case .warned(let text): warned(text)
        }
    }

    /// A line a second, whatever the server says.
    private func warned(_ text: String) {
        let now = Instant.now
        guard lastWarning.map({ now - $0 >= .seconds(1) }) ?? true else { return }
        lastWarning = now
        observers.log(.warned(text))
    }

    private func topicAnswered() {
        lastProgress = .now
        topicsAsked = (max(topicsAsked.count - 1, 0), lastProgress)
        hasTopicsChanged = true
    }

    private func becameReady(_ identity: ServerIdentity) {
        state.ready(at: .now)
        lastFailure = nil
        observers.status(.ready(identity))
        let endpoints = backend.endpoints
        observers.log(.connected(identity, endpoints[endpoint % endpoints.count]))
        gate.open(.success(identity))
        hub.connected()
        reconcile()
        sendPublishes()
        send()
    }

    // MARK: Commands

    /// Takes what has gathered in the hub and the publish queue.
    func turn() {
        guard state.isReady, stopping?.hasSaidGoodbye != true else {
            publishes.acknowledgeSignal()
            return rearm()
        }
        reconcile()
        sendPublishes()
        settle()
    }

    private func reconcile() {
        hasTopicsChanged = false
        let requests = hub.takeRequests()
        if topicsAsked.count == 0 { topicsAsked.since = .now }
        topicsAsked.count += requests.subscribe.count + requests.unsubscribe.count
        if !requests.subscribe.isEmpty { perform(.subscribe(requests.subscribe)) }
        if !requests.unsubscribe.isEmpty { perform(.unsubscribe(requests.unsubscribe)) }
        send()
    }

    /// Hands messages to the session while not too many bytes wait for the kernel. The others stay in the
    /// queue, where their publishers wait.
    private func sendPublishes() {
        while state.isReady {
            let capacity = session?.publishCapacity ?? 0
            var room = limits.unsentBytes - lanes.unsentCount
            // Where a number of messages belongs together, they stay together.
            if capacity == .max { room = min(room, SessionRunner.publishedAtOnce) }
            let publications = publishes.takeUnsent(limit: room, count: capacity)
            if publications.isEmpty { return }
            perform(.publish(publications))
            send()
            // The server has work while we encode what follows.
            guard publishes.hasUnsent, flush() else { return }
        }
    }

    /// Bytes of messages. A thousand small ones in one piece left the server idle for a third of the time.
    private static let publishedAtOnce = 16_384

    func perform(_ command: Command) {
        observers.trace?(TranscriptLine.command(command))
        session?.perform(command, into: &output)
    }

    func ping(_ number: Int, _ caller: CheckedContinuation<ConnectionFailure?, Never>) {
        guard state.isReady else { return caller.resume(returning: .closed) }
        pings.append(Ping(number: number, since: .now, caller: caller))
        perform(.ping)
        settle()
    }

    func abandonPing(_ number: Int) {
        guard let place = pings.firstIndex(where: { $0.number == number }) else { return }
        pings[place].caller.take()?.resume(returning: .cancelled)
    }
}
