package import BroadcasterWire
internal import Synchronization

/// Runs a session that needs no server, on the threads of its callers.
///
/// One lock makes the session's events one sequence; they are handed to the hub under it, so that all
/// subscribers see one order. Tasks are woken by their mailboxes, which have locks of their own.
package final class LocalDriver: Driver {
    fileprivate struct State {
        var session: any Session
        var output = SessionOutput()
        var published = 0
        var identity: ServerIdentity?
        var isStopped = false
        var isOpen: Bool { identity != nil }
    }

    package let hub: Hub
    private let observers: Observers
    private let clock: @Sendable () -> Instant
    private let state: Mutex<State>

    /// - Parameter clock: what the lengths of gaps are counted in.
    package init(
        _ session: sending any Session, hub: Hub, observers: Observers,
        clock: @escaping @Sendable () -> Instant = { .now }
    ) {
        self.hub = hub
        self.observers = observers
        self.clock = clock
        state = Mutex(State(session: session))
    }

    package func start() async throws(ConnectionFailure) -> ServerIdentity {
        try open()
    }

    /// As `start`, at once.
    package func open() throws(ConnectionFailure) -> ServerIdentity {
        let identity = state.withLock { state -> ServerIdentity? in
            if state.isStopped { return nil }
            state.session.opened(.main, at: clock(), into: &state.output)
            for case .ready(let identity) in state.output.takeEvents() { state.identity = identity }
            return state.identity
        }
        guard let identity else { throw .closed }
        hub.open()
        hub.connected()
        // For whoever subscribed between the two.
        hubChanged()
        observers.status(.ready(identity))
        return identity
    }

    /// Who runs here; nil before and after.
    package var identity: ServerIdentity? { state.withLock { $0.identity } }

    package func hubChanged() {
        state.withLock { state in
            guard state.isOpen else { return }
            // Until nothing is left: what the events change may ask for more.
            while true {
                let requests = hub.takeRequests()
                if requests.subscribe.isEmpty, requests.unsubscribe.isEmpty { return }
                state.perform(.subscribe(requests.subscribe), trace: observers.trace)
                state.perform(.unsubscribe(requests.unsubscribe), trace: observers.trace)
                _ = deliver(&state)
            }
        }
    }

    package func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Int?, PublishFailure> {
        Task.isCancelled ? .failure(.cancelled) : publishNow(payload, to: channel)
    }

    package func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Int?, PublishFailure>] {
        payloads.map { publishNow($0, to: channel) }
    }

    private func publishNow(
        _ payload: Payload, to channel: String
    ) -> Result<Int?, PublishFailure> {
        state.withLock { state in
            guard state.isOpen else { return .failure(.closed) }
            let publication = Publication(ticket: 0, channel: channel, payload: payload)
            state.perform(.publish([publication]), trace: observers.trace)
            let result = deliver(&state)
            if case .success = result { state.published += 1 }
            return result
        }
    }

    /// Hands the session's events to the hub. The result is the fate of what was published.
    private func deliver(_ state: inout State) -> Result<Int?, PublishFailure> {
        var result = Result<Int?, PublishFailure>.success(nil)
        state.output.drainEvents { event in
            observers.trace(event, hub)
            switch event {
            case .messages(let block): hub.deliver(block)
            case .subscribed(let topic): hub.confirmed(topic, at: clock())
            case .unsubscribed(let topic): hub.unsubscribed(topic)
            case .subscriptionRefused(let topic, let rejection):
                hub.refused(topic, rejection, at: clock())
            case .published(let acceptance): result = .success(acceptance[0])
            case .publishRefused(_, let rejection): result = .failure(.refused(rejection))
            case .undeliverable(let topic, let reason): hub.undeliverable(topic, reason)
            case .ready, .rejected, .answered, .warned: break
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
        state.withLock { state in
            state.identity = nil
            state.isStopped = true
        }
        hub.close()
        observers.status(.closed)
    }

    package var published: Int { state.withLock { $0.published } }
    package var reconnects: Int { 0 }
}

extension LocalDriver.State {
    fileprivate mutating func perform(_ command: Command, trace: (@Sendable (String) -> Void)?) {
        switch command {
        case .subscribe(let topics) where topics.isEmpty: return
        case .unsubscribe(let topics) where topics.isEmpty: return
        default: break
        }
        trace?(TranscriptLine.command(command))
        session.perform(command, into: &output)
    }
}
