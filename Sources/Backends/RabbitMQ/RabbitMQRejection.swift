import BroadcasterWire

extension Rejection {
    /// The server's refusal, by its reply code (§1.2 and RabbitMQ's `rabbit_framing_amqp_0_9_1:lookup_amqp_exception`).
    ///
    /// - Parameter isLogin: whether it ends a login.
    init(_ close: AMQPClose, isLogin: Bool = false) {
        let says = { (words: String) in close.text.containsBytes(words) }
        let kind: Kind
        var advice: String?
        switch close.code {
        case 403 where isLogin: kind = .authentication
        case 403: kind = .permission
        // A limit of connections, or a virtual host that is starting, is told by this code too.
        case 530 where says("limit") || says("is down"): kind = .temporary
        case 530 where says("refused for user"): kind = .permission
        case 530 where isLogin:
            kind = .permanent
            advice = "the path of the URL is the virtual host; a / in its name is written %2F"
        // A stream is not back on its node yet.
        case 406 where says("does not have a replica"): kind = .temporary
        // What is missing is declared again.
        case 320, 404, 405, 506, 541: kind = .temporary
        default: kind = .permanent
        }
        self.init(
            kind: kind, message: close.text.isEmpty ? "code \(close.code)" : close.text,
            advice: advice)
    }
}

extension AMQPClose {
    /// The server says that we broke the protocol (501 to 505): the connection is made anew.
    var blamesUs: Bool { (501...505).contains(code) }

    /// The end of a connection that may be made again at once.
    var isTemporary: Bool { Rejection(self).kind == .temporary || blamesUs }
}
