/// What a session tells the core, in the order in which it happened.
package enum Event: Sendable {
    /// The handshake is over; commands may come.
    case ready(ServerIdentity)
    /// The server does not want us, or not now. The core closes the connection.
    case rejected(Rejection)
    case subscribed(topic: Int)
    case unsubscribed(topic: Int)
    case subscriptionRefused(topic: Int, Rejection)
    case messages(MessageBlock)
    /// Something came for this topic that is no message: a part of one whose rest is missing.
    case undeliverable(topic: Int, String)
    /// The server has accepted.
    case published(Acceptance)
    case publishRefused(ticket: UInt64, Rejection)
    /// The answer to `.ping`.
    case answered
    /// Something that whoever runs the server should read, in its words, cut as a `Rejection`'s.
    case warned(String)
}

extension Event {
    /// A message came that is longer than what may be received.
    package static func tooLong(_ count: Int, limit: Int, topic: Int) -> Event {
        .undeliverable(topic: topic, "a message has \(count) bytes, \(limit) are allowed")
    }
}

/// Who answered the handshake.
package struct ServerIdentity: Hashable, Sendable {
    /// The product, such as `redis`.
    package let product: String
    package let version: String
    /// The wire protocol in use, such as `RESP3`.
    package let dialect: String

    package init(product: String, version: String, dialect: String) {
        self.product = product
        self.version = version
        self.dialect = dialect
    }
}

/// A server's refusal, in its own words, with what the core needs to know to go on.
package struct Rejection: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
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

    package let kind: Kind
    /// The server's words, at most `messageLimit` characters, control characters escaped.
    package let message: String

    /// Error texts are the peer's to choose; libpq shows them whole, and CVE-2024-10977 was that.
    package static let messageLimit = 200

    package init(kind: Kind, message: String) {
        self.kind = kind
        self.message = Rejection.printable(message)
    }

    /// What a peer said, cut, and without control characters.
    package static func printable(_ message: String) -> String {
        var text = ""
        for scalar in message.unicodeScalars.prefix(messageLimit) {
            let isControl = scalar.properties.generalCategory == .control
            text += isControl ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return text
    }
}
