internal import BroadcasterMultiplexing
internal import BroadcasterWire
internal import Synchronization

/// A subscription's place in the hub: its channels, which may become more and fewer while it runs.
final class Membership: Sendable {
    private struct State {
        var topics: [TopicName] = []
        var starts: [String: MessagePosition] = [:]
    }

    private let id: Int
    private let hub: Hub
    private let rules: SubscriptionRules
    /// The driver, unless the `Broadcast` has let it go: a subscription keeps no connection.
    private let driver: @Sendable () -> (any Driver)?
    private let state = Mutex(State())

    init(of id: Int, hub: Hub, driver: any Driver, rules: SubscriptionRules) {
        self.id = id
        self.hub = hub
        self.rules = rules
        self.driver = { [weak driver] in driver }
    }

    func names(arePatterns: Bool) -> [String] {
        state.withLock { $0.topics.filter { $0.isPattern == arePatterns }.map(\.text) }
    }

    var startPositions: [String: MessagePosition] { state.withLock { $0.starts } }

    func join(
        _ topics: [TopicName], _ start: SubscriptionStart, isolation: isolated (any Actor)?
    ) async throws(BroadcastError) {
        let place = try rules.place(of: start, in: topics)
        guard let driver = driver() else { throw .notConnected }
        let call = hub.newSubscriber()
        try await rules.confirmation(as: call, driver, isolation: isolation) { waiter in
            hub.join(id, to: topics, from: place, as: call, waiter: waiter)
        }
        refresh()
    }

    func leave(_ topics: [TopicName]) {
        hub.leave(id, topics, at: driver()?.now ?? .now)
        refresh()
    }

    func end() {
        hub.remove(id)
    }

    /// Looks up what the hub knows; once the subscription is over that is nothing, and the last answer stands.
    ///
    /// - Parameter topics: what is known where the subscription has ended before it was ever looked up.
    func refresh(_ topics: [TopicName] = []) {
        state.withLock { state in
            if state.topics.isEmpty { state.topics = topics }
            guard let current = hub.topics(of: id) else { return }
            state.topics = current
            let names = Set(current.map(\.text))
            for (name, start) in hub.takeStarts(of: id) {
                state.starts[name] = MessagePosition(start)
            }
            state.starts = state.starts.filter { names.contains($0.key) }
        }
    }
}
