package import BroadcasterWire
internal import Synchronization

/// Runs a session that needs no server, on the threads of its callers.
///
/// One lock makes the session's events one sequence; they are handed to the hub under it, so that all
/// subscribers see one order. Tasks are woken by their mailboxes, which have locks of their own.
package final class LocalDriver: Driver {
    private struct State {
        var session: any Session
        var output = SessionOutput()
        var published = 0
        var identity: ServerIdentity?
        /// Stored, since each message asks: a look at the identity would copy it.
        var isOpen = false
    }

    package let hub: Hub
    private let observers: Observers
    private let clock: @Sendable () -> Instant
    private let state: Mutex<State>

    /// - Parameter clock: the time of the session.
    package init(
        _ session: sending any Session, hub: Hub, observers: Observers,
        clock: @escaping @Sendable () -> Instant = { .now }
    ) {
        self.hub = hub
        self.observers = observers
        self.clock = clock
        var state = State(session: session)
        // Open from the beginning: there is nothing to wait for.
        state.session.opened(.main, to: LocalDriver.peer, at: clock(), into: &state.output)
        for case .ready(let identity) in state.output.takeEvents() {
            (state.identity, state.isOpen) = (identity, true)
        }
        self.state = Mutex(state)
        hub.open { [weak self] in self?.reconcile() }
        hub.connected()
    }

    package func start() async throws(ConnectionFailure) -> ServerIdentity {
        try open()
    }

    /// Does the same as `start`, at once.
    package func open() throws(ConnectionFailure) -> ServerIdentity {
        guard let identity = state.withLock({ $0.identity }) else { throw .closed }
        observers.status(.ready(identity))
        return identity
    }

    /// The other end of a lane that leads nowhere.
    private static let peer = PeerInfo(endpoint: .unix(path: "memory"))

    private func reconcile() {
        state.withLock { state in
            guard state.isOpen else { return }
            carryOut(&state)
        }
    }

    /// Does what the hub wants, until nothing is left: what the events change may ask for more.
    private func carryOut(_ state: inout State) {
        while case let commands = hub.takeCommands(), !commands.isEmpty {
            for command in commands { perform(command, &state) }
            _ = deliver(&state)
        }
    }

    package func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Receipt, PublishFailure> {
        publishNow(payload, to: channel)
    }

    package func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Receipt, PublishFailure>] {
        payloads.map { publishNow($0, to: channel) }
    }

    private func publishNow(
        _ payload: Payload, to channel: String
    ) -> Result<Receipt, PublishFailure> {
        state.withLock { state in
            guard state.isOpen else { return .failure(.closed) }
            let publication = Publication(ticket: 0, channel: channel, payload: payload)
            perform(.publish([publication]), &state)
            let result = deliver(&state)
            if case .success = result { state.published += 1 }
            if hub.keepsHistory { carryOut(&state) }
            return result
        }
    }

    private func perform(_ command: Command, _ state: inout State) {
        observers.trace?(TranscriptLine.command(command))
        let now = clock()
        state.output.time = now
        state.session.perform(command, at: now, into: &state.output)
    }

    /// Hands the session's events to the hub. The result is the outcome of what was published.
    private func deliver(_ state: inout State) -> Result<Receipt, PublishFailure> {
        var result = Result<Receipt, PublishFailure>.success(Receipt())
        state.output.drainEvents { event in
            observers.trace(event, hub)
            switch event {
            case .messages(let block): hub.deliver(block)
            case .subscribed(let topic, let position):
                hub.confirmed(topic, at: position, at: clock())
            case .page(let page): hub.answered(page, at: clock())
            case .pageRefused(let ticket, let rejection):
                hub.refusedPage(ticket, rejection, at: clock())
            case .rang(let topic): hub.rang(topic)
            case .unsubscribed(let topic): hub.unsubscribed(topic)
            case .subscriptionRefused(let topic, let rejection):
                hub.refused(topic, rejection)
            case .published(let acceptance): result = .success(acceptance[0])
            case .publishRefused(_, let rejection): result = .failure(.refused(rejection))
            case .undeliverable(let topic, let reason): hub.miss(topic, .undeliverable(reason))
            case .dropped(let topic, let count, let reason):
                hub.miss(topic, .dropped(lost: count, reason))
            case .interrupted, .postponed, .publishLost, .redirected: break
            case .ready, .rejected, .answered, .warned, .learned, .changed: break
            }
        }
        return result
    }

    package var isReady: Bool { state.withLock { $0.isOpen } }

    package func ping() async throws(ConnectionFailure) -> Duration {
        guard state.withLock({ $0.isOpen }) else { throw .closed }
        return .zero
    }

    package func schedule(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        // Everything is confirmed before a caller could wait for it.
        {}
    }

    package func stop() async {
        state.withLock { ($0.identity, $0.isOpen) = (nil, false) }
        hub.close()
        observers.status(.closed(.closed))
    }

    package var published: Int { state.withLock { $0.published } }
    package var reconnects: Int { 0 }
}
