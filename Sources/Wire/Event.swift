/// A report of a session to the core. They come in the order in which things happened.
public enum Event: Sendable {
    /// The handshake is over; commands may come. Apart, as are pages: an event that has room for one takes
    /// longer to move, also for each message.
    indirect case ready(ServerIdentity)
    /// The server refuses this client, or does so for now. The core closes the connections.
    case rejected(Rejection)
    /// The server is not the one to talk to: these are, in the order to try. The core closes the connections, and begins
    /// there with a new session.
    case redirected([Endpoint])
    /// The service has these servers too, in place of those that were learnt before. Where the session has ended, the core
    /// tries them behind the backend's list.
    case learned([Endpoint])
    /// The servers of the session have changed, and this is what they are now.
    indirect case changed(ServerIdentity)
    /// The server delivers the topic. With a position: from there on, so that a subscriber that stood there has missed
    /// nothing. Without: from now on. Where the backend keeps a history, the position is that of its newest message, and
    /// `.rang` tells of what comes behind.
    case subscribed(topic: Int, resumedAt: Position? = nil)
    case unsubscribed(topic: Int)
    case subscriptionRefused(topic: Int, Rejection)
    /// These topics have lost their source, together; the others go on. The core asks for them again, and their
    /// subscribers get one gap when all of these that they have are back.
    case interrupted(topics: [Int], String)
    /// There is no server to ask for these topics now. No answer is due; `.subscribed` follows when there is one.
    case postponed(topics: [Int])
    case messages(MessageBlock)
    /// The answer to a request to read.
    indirect case page(HistoryPage)
    case pageRefused(ticket: UInt64, Rejection)
    /// There may be messages in this topic's history behind those that were read. Promises nothing: the core reads.
    case rang(topic: Int)
    /// Something came for this topic that is no message: a part of one whose rest is missing.
    case undeliverable(topic: Int, String)
    /// So many messages of this topic fell at the server before they could come, and why.
    case dropped(topic: Int, count: Int, String)
    /// The server has accepted.
    case published(Acceptance)
    case publishRefused(ticket: UInt64, Rejection)
    /// The message was sent, and its answer will not come: the server may have published it, or not.
    case publishLost(ticket: UInt64, String)
    /// The answer to `.ping`.
    case answered
    /// The server warns those who run it, in these words, cut as a `Rejection`'s.
    case warned(String)
}

extension Event {
    /// A message came that is longer than what may be received.
    public static func tooLong(_ count: Int, limit: Int, topic: Int) -> Event {
        .undeliverable(topic: topic, "a message has \(count) bytes, \(limit) are allowed")
    }
}

/// The server that answered the handshake.
public struct ServerIdentity: Hashable, Sendable {
    /// The product, such as `redis`.
    public let product: String
    /// The version, as the server says it.
    public let version: String
    /// The wire protocol in use, such as `RESP3`.
    public let dialect: String
    /// The main lane's security, as the core has it.
    public var security: LaneSecurity?

    /// A server that has answered.
    public init(product: String, version: String, dialect: String) {
        self.product = product
        self.version = version
        self.dialect = dialect
    }
}

/// A server's refusal, in its own words, and its kind, by which the core decides how to go on.
public struct Rejection: Hashable, Sendable {
    /// The kinds of refusals.
    public enum Kind: Hashable, Sendable {
        /// Wrong or missing password, unknown user.
        case authentication
        /// Known, but not allowed to do this.
        case permission
        /// Will not heal by itself: an unknown database, an unsupported protocol.
        case permanent
        /// Not by this server, but another one of the list may do.
        case unsuitable
        /// Heals by itself: loading, too many clients, shutting down.
        case temporary
    }

    /// The kind, by which the core goes on.
    public let kind: Kind
    /// The server's words, at most `messageLimit` characters, control characters escaped.
    public let message: String

    /// The library's advice; nil where the kind says enough, empty where the message does.
    public let advice: String?

    /// Error texts are the peer's to choose; libpq shows them whole, and CVE-2024-10977 was that.
    public static let messageLimit = 200

    /// A refusal. The message is cut, and its control characters are escaped.
    public init(kind: Kind, message: String, advice: String? = nil) {
        self.kind = kind
        self.advice = advice
        self.message = Rejection.printable(message)
    }

    /// The peer's words, cut, and with control characters escaped.
    package static func printable(_ message: String) -> String {
        var text = ""
        for scalar in message.unicodeScalars.prefix(messageLimit) {
            let isControl = scalar.properties.generalCategory == .control
            text += isControl ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return text
    }
}
