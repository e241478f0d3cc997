/// An answer that the server owes, in the order of the requests. It belongs to the connection: the requester may be
/// gone when it comes, and the session takes it all the same.
enum ExpectedReply: Sendable {
    case publication(ticket: UInt64)
    case pong(isAsked: Bool)
    case subscription(SubscriptionRequest)
    case probe
    case role

    /// The request is one that a paused server holds back.
    var isPublishing: Bool {
        switch self {
        case .publication, .probe: true
        case .pong, .subscription, .role: false
        }
    }

    var name: String {
        switch self {
        case .publication, .probe: "PUBLISH"
        case .role: "HELLO"
        case .pong: "PING"
        case .subscription(let request): request.verb.command
        }
    }
}
