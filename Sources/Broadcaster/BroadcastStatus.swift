internal import BroadcasterMultiplexing
internal import BroadcasterWire
internal import Synchronization

/// How the connection to the server is.
public enum BroadcastStatus: Hashable, Sendable {
    /// An attempt is under way.
    case connecting
    /// Connected and logged in.
    case ready(ServerInfo)
    /// No connection, and why; the next attempt comes in `retryIn`.
    case down(BroadcastError, retryIn: Duration)
    /// `connect()` has not been called, or has failed, or `disconnect()` has been called.
    case closed
}

/// Who answered.
public struct ServerInfo: Hashable, Sendable, CustomStringConvertible {
    /// The product, such as `redis`.
    public let product: String
    /// Its version, as it calls it.
    public let version: String
    /// The wire protocol in use, such as `RESP3`.
    public let `protocol`: String

    init(_ identity: ServerIdentity) {
        product = identity.product
        version = identity.version
        `protocol` = identity.dialect
    }

    /// Such as `redis 7.0.15, RESP3`.
    public var description: String { "\(product) \(version), \(self.protocol)" }
}

/// A snapshot of what a `Broadcast` has done since it was made.
public struct BroadcastStatistics: Hashable, Sendable {
    /// Messages that the server has accepted.
    public let published: Int
    /// Messages that came from the server, each counted once however many subscribers it has.
    public let received: Int
    /// Messages that subscribers have taken.
    public let delivered: Int
    /// Messages that fell because a subscriber's buffer was full.
    public let dropped: Int
    /// Messages that wait in subscribers' buffers.
    public let waiting: Int
    /// Times that the connection was re-established.
    public let reconnects: Int
    /// Subscriptions in this process.
    public let subscribers: Int
    /// Different channels and patterns that they have together.
    public let channels: Int
}

/// What drivers count, added up over the times of one `Broadcast`.
struct DriverCounts {
    private(set) var published = 0
    private(set) var received = 0
    private(set) var delivered = 0
    private(set) var dropped = 0
    private(set) var reconnects = 0

    mutating func add(_ driver: any Driver) {
        let counts = driver.hub.counts
        published += driver.published
        reconnects += driver.reconnects
        received += counts.received
        delivered += counts.delivered
        dropped += counts.dropped
    }
}

extension BroadcastStatus {
    init(_ status: LinkStatus) {
        switch status {
        case .connecting: self = .connecting
        case .ready(let identity): self = .ready(ServerInfo(identity))
        case .down(let failure, let delay): self = .down(BroadcastError(failure), retryIn: delay)
        case .closed: self = .closed
        }
    }
}

extension BroadcastStatistics {
    init(_ total: DriverCounts, now: Hub.Counts) {
        self.init(
            published: total.published, received: total.received, delivered: total.delivered,
            dropped: total.dropped, waiting: now.waiting, reconnects: total.reconnects,
            subscribers: now.subscribers, channels: now.topics)
    }
}

/// Gives each watcher the status as it is, and then its changes.
final class StatusBoard: Sendable {
    private struct State {
        var current = BroadcastStatus.closed
        var watchers: [UInt64: AsyncStream<BroadcastStatus>.Continuation] = [:]
        var lastWatcher: UInt64 = 0
        var generation = 0
    }

    private let state = Mutex(State())

    /// Nobody will post any more.
    deinit {
        for watcher in state.withLock({ $0.watchers.values }) { watcher.finish() }
    }

    var current: BroadcastStatus { state.withLock { $0.current } }

    func post(_ status: BroadcastStatus, from generation: Int) {
        state.withLock { state in
            guard generation >= state.generation, state.current != status else { return }
            state.current = status
            for watcher in state.watchers.values { watcher.yield(status) }
        }
    }

    /// From now on only what a driver of this generation, or a later one, posts counts: an earlier one
    /// may still be on its way out.
    func begin() -> Int {
        state.withLock { state in
            state.generation += 1
            return state.generation
        }
    }

    /// A watcher that does not look for long misses the oldest of 64 changes, never the newest.
    func watch() -> AsyncStream<BroadcastStatus> {
        let (stream, continuation) = AsyncStream<BroadcastStatus>.makeStream(
            bufferingPolicy: .bufferingNewest(64))
        let number = state.withLock { state in
            state.lastWatcher += 1
            state.watchers[state.lastWatcher] = continuation
            // Under the lock, as `post` does: the last word is the newest.
            continuation.yield(state.current)
            return state.lastWatcher
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.watchers[number] = nil }
        }
        return stream
    }
}
