import BroadcasterWire

/// A request that the server has not answered to the end, which is its ReadyForQuery. One transaction each.
enum PostgresOperation: Sendable {
    case prepare
    /// Asks for the number of the server's process.
    case identify
    case listen([Topic], isSubscribing: Bool)
    case publish(PublishGroup)
    /// Empties a full notification queue: the server looks at it, and advances it, only when a client asks how full
    /// it is.
    case queueUsage
    case ping(isAsked: Bool)
    /// LISTEN or UNLISTEN on the probe's channel.
    case probe

    /// True if the server must report that it has carried out the request.
    var isStatement: Bool {
        if case .prepare = self { false } else { true }
    }

    /// True if the server may have to wait for something before it can carry out the request.
    var isWork: Bool {
        switch self {
        case .listen, .publish, .queueUsage, .probe: true
        case .prepare, .identify, .ping: false
        }
    }

    var name: String {
        switch self {
        case .prepare: "the preparation"
        case .identify: "pg_backend_pid"
        case .listen(_, isSubscribing: true): "LISTEN"
        case .listen: "UNLISTEN"
        case .publish: "pg_notify"
        case .queueUsage: "pg_notification_queue_usage"
        case .ping: "an empty query"
        case .probe: "the probe"
        }
    }
}
