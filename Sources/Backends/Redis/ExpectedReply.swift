import BroadcasterWire

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

extension ProtocolError {
    /// A reply of another type than the command's, or one too many.
    ///
    /// - Parameter command: the command that is answered next; nil where none is.
    init(unexpected reply: RESPValue, to command: String?) {
        self.init(
            reading: "Redis reply",
            expected: command.map { "an answer to \($0)" } ?? "nothing, none was asked for",
            found: "a value of type \(reply.kind)")
    }
}
