internal import BroadcasterMultiplexing
internal import BroadcasterWire
internal import Synchronization

/// The state of the connection to the server.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
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

extension BroadcastStatus: CustomStringConvertible {
    /// The status in words, for a log or a health check.
    public var description: String {
        switch self {
        case .connecting: "connecting"
        case .ready(let server): "ready: \(server)"
        case .down(let error, let delay): "down: \(error); next try in \(delay.text)"
        case .closed: "closed"
        }
    }
}

/// The server that answered.
public struct ServerInfo: Hashable, Sendable, CustomStringConvertible {
    /// The product, such as `redis`.
    public let product: String
    /// Its version, as it calls it.
    public let version: String
    /// The wire protocol in use, such as `RESP3`.
    public let `protocol`: String
    /// The encryption of the connection; nil for none.
    public let security: SecurityInfo?

    /// A server of the caller's invention, for tests.
    public init(
        product: String, version: String, protocol: String, security: SecurityInfo? = nil
    ) {
        self.product = product
        self.version = version
        self.protocol = `protocol`
        self.security = security
    }

    init(_ identity: ServerIdentity) {
        product = identity.product
        version = identity.version
        `protocol` = identity.dialect
        security = identity.security.map(SecurityInfo.init)
    }

    /// Such as `redis 7.0.15, RESP3`, or `redis 7.0.15, RESP3, TLSv1.3`.
    public var description: String {
        let text = "\(product) \(version), \(self.protocol)"
        return security.map { "\(text), \($0.version)" } ?? text
    }
}

extension BroadcastStatus {
    init(_ status: ConnectionStatus) {
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
            subscribers: now.subscribers, channels: now.topics, unserved: now.unserved)
    }
}
