/// An answer that is owed to us, in the order of asking. It belongs to the connection: whoever asked
/// may be gone when it comes, and it is taken all the same.
enum ExpectedReply: Sendable {
    case publication(ticket: UInt64)
    case pong(isAsked: Bool)
    case subscription(SubscriptionRequest)
    case probe
    case role

    var name: String {
        switch self {
        case .publication, .probe: "PUBLISH"
        case .role: "HELLO"
        case .pong: "PING"
        case .subscription(let request): request.verb.command
        }
    }
}
