import BroadcasterWire

/// What the server was asked and has not answered to the end, which is its ReadyForQuery. One transaction each.
enum PostgresOperation: Sendable {
    case prepare
    /// Asks for the number of the server's process.
    case identify
    case listen([Topic], isSubscribing: Bool)
    case publish(PublishGroup)
    /// Empties a full notification queue: it is only looked at, and advanced, by those who ask how full it is.
    case queueUsage
    case ping(isAsked: Bool)
    /// A step of the probe. After the last of them its notification should be there.
    case probe(isNotification: Bool)

    /// The server must say that it has carried it out.
    var isStatement: Bool {
        if case .prepare = self { false } else { true }
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
