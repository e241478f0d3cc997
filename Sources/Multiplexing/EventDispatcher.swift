import BroadcasterWire

/// Gives the events of a session to those that wait for them: subscribers, publishers, callers of `connect` and `ping`;
/// and gathers what the core asks of the session. Belongs to the runner's actor.
struct EventDispatcher {
    typealias PingCaller = CheckedContinuation<ConnectionFailure?, Never>

    let hub: Hub
    let publishes: PublishQueue
    let observers: Observers
    private let outcome: ConnectOutcome
    private(set) var requests: UnansweredRequests<PingCaller>
    /// A topic's state on the server has changed, and its desired state may be another by now.
    private(set) var hasTopicsChanged = false
    /// The refusal of a topic by this server alone, for which subscribers wait all the same.
    private var unsuitable: Rejection?
    private var lastWarning: Instant?
    /// The messages that came, and answers to messages published.
    private var came = 0
    private var outage = OutageLog()

    init(
        hub: Hub, publishes: PublishQueue, observers: Observers, outcome: ConnectOutcome,
        answerTimeout: Duration
    ) {
        self.outcome = outcome
        self.hub = hub
        self.publishes = publishes
        self.observers = observers
        requests = UnansweredRequests(answerTimeout: answerTimeout)
    }

    // MARK: Events

    /// False for an event that is about the session itself: it is the runner's.
    mutating func take(_ event: Event, at now: Instant) -> Bool {
        observers.trace(event, hub)
        switch event {
        case .ready, .rejected, .redirected, .learned, .changed: return false
        case .messages(let block):
            came += block.count
            hub.deliver(block)
        case .undeliverable(let topic, let reason): hub.miss(topic, .undeliverable(reason))
        case .dropped(let topic, let count, let reason):
            hub.miss(topic, .dropped(lost: count, reason))
        case .published(let acceptance):
            came += acceptance.count
            requests.progressed(at: now)
            publishes.accepted(acceptance)
        case .publishRefused(let ticket, let rejection):
            requests.progressed(at: now)
            publishes.refused(ticket, rejection)
        case .publishLost(let ticket, let reason): publishes.lost(ticket, reason)
        case .subscribed(let topic, let position):
            topicAnswered(at: now)
            hub.confirmed(topic, at: position, at: now)
        case .page(let page):
            topicAnswered(at: now)
            hub.answered(page, at: now)
        case .pageRefused(let ticket, let rejection):
            topicAnswered(at: now)
            hub.refusedPage(ticket, rejection, at: now)
        case .rang(let topic):
            hub.rang(topic)
            hasTopicsChanged = true
        case .unsubscribed(let topic):
            topicAnswered(at: now)
            hub.unsubscribed(topic)
        case .subscriptionRefused(let topic, let rejection):
            topicAnswered(at: now)
            if let name = hub.name(of: topic) { observers.log(.refused(name, rejection)) }
            hub.refused(topic, rejection)
            if rejection.kind == .unsuitable, hub.isWanted(topic) { unsuitable = rejection }
        case .interrupted(let topics, let reason):
            hub.interrupted(topics, at: now, reason: reason)
            hasTopicsChanged = true
        case .postponed(let topics): requests.leave(topics: topics.count)
        case .answered: requests.pingAnswered(at: now)?.resume(returning: nil)
        case .warned(let text): warned(text, at: now)
        }
        return true
    }

    /// Takes the number of messages, and of answers, that have come since the last call.
    mutating func takeCount() -> Int {
        defer { came = 0 }
        return came
    }

    private mutating func topicAnswered(at now: Instant) {
        requests.topicAnswered(at: now)
        hasTopicsChanged = true
        if requests.topics == 0, let line = outage.restored(at: now) { observers.log(line) }
    }

    /// Logs a line a second at most, whatever the server says.
    private mutating func warned(_ text: String, at now: Instant) {
        guard lastWarning.map({ now - $0 >= .seconds(1) }) ?? true else { return }
        lastWarning = now
        observers.log(.warned(text))
    }

    // MARK: The session's life

    /// The session is ready: all topics are to be asked for.
    mutating func connected(to endpoint: Endpoint, _ identity: ServerIdentity) {
        observers.status(.ready(identity))
        observers.log(.connected(identity, endpoint))
        outage.connected()
        outcome.settle(.success(identity))
        hub.connected()
        hasTopicsChanged = true
    }

    /// The session is over, and nothing that it was asked for will be answered.
    ///
    /// - Parameters:
    ///   - wasReady: whether it had topics and messages to lose, all of them.
    ///   - since: the moment since which messages may be missing.
    mutating func disconnected(_ failure: ConnectionFailure, wasReady: Bool, since: Instant) {
        hasTopicsChanged = false
        if wasReady {
            hub.disconnected(since: since, reason: failure.description)
            publishes.connectionLost(failure.description)
            outage.begin(at: since)
        }
        for caller in requests.removeAll() { caller.resume(returning: failure) }
    }

    /// The next attempt to connect comes after a wait.
    mutating func waits(_ delay: Duration, because failure: ConnectionFailure, at now: Instant) {
        observers.status(.down(failure, retryIn: delay))
        if let line = outage.failed(failure, retryIn: delay, at: now) { observers.log(line) }
    }

    /// Nothing more will come: fails everything still waiting.
    ///
    /// - Parameter isFirst: false where that has been said.
    func end(_ failure: ConnectionFailure, isFirst: Bool) {
        if failure == .closed {
            hub.close()
            publishes.close()
        } else {
            // What waited for the first connection is told why there is none.
            hub.close(.down(failure.description))
            publishes.close(.notSent(failure.description))
        }
        observers.status(.closed(failure))
        if isFirst { observers.log(.closed) }
        outcome.settle(.failure(failure))
        outcome.end()
    }

    /// The reason for which another server is to be found: this one cannot do what subscribers have had before.
    mutating func takeUnsuitable() -> Rejection? {
        unsuitable.take()
    }

    // MARK: Requests

    /// Takes note of signals while there is no session to act upon them.
    func acknowledgeSignals() {
        hub.acknowledgeSignal()
        publishes.acknowledgeSignal()
    }

    /// True if a call waits for the connection.
    var isAwaited: Bool { publishes.hasUnsent || hub.isAwaited }

    /// The commands that bring the server to what subscribers want.
    mutating func takeTopicCommands(at now: Instant) -> [Command] {
        hasTopicsChanged = false
        let commands = hub.takeCommands(at: now)
        var subscribed = 0
        for case .subscribe(let topics) in commands {
            requests.asked(topics: topics.count, at: now)
            subscribed += topics.count
        }
        for case .unsubscribe(let topics) in commands {
            requests.asked(topics: topics.count, at: now)
        }
        for case .read(let pages) in commands { requests.asked(topics: pages.count, at: now) }
        outage.asked(topics: subscribed)
        return commands
    }

    mutating func ping(_ number: Int, _ caller: PingCaller, at now: Instant) -> Command {
        requests.pinged(number, caller, at: now)
        return .ping
    }

    mutating func cancelPing(_ number: Int) {
        requests.cancelPing(number)?.resume(returning: .cancelled)
    }

    /// The peer takes the bytes of the one message that waits for its answer.
    mutating func progressed(at now: Instant) {
        requests.progressed(at: now)
    }

    /// This process was suspended: the waiting for answers begins anew.
    mutating func excuse(at now: Instant) {
        requests.excuse(at: now)
    }
}
