import BroadcasterWire

/// Messages that share a transaction, and so a commit and a round trip.
///
/// Postgres delivers equal notifications of one transaction once, so no two of a group are equal. When one fails, the
/// whole transaction does; the session then sends the others again, each by itself.
struct PublishGroup: Sendable {
    struct Member: Sendable {
        let publication: Publication
        /// The texts to notify with: more than one for a large message.
        let texts: [[UInt8]]
    }

    /// The fields that Postgres compares.
    private struct Notification: Hashable {
        let channel: String
        let text: [UInt8]

        static func == (one: Notification, other: Notification) -> Bool {
            one.text.span.isEqual(to: other.text.span)
                && one.channel.utf8.span.isEqual(to: other.channel.utf8.span)
        }

        /// Hashes without the channel: equal texts on several are rare.
        func hash(into hasher: inout Hasher) {
            text.span.hash(into: &hasher)
        }
    }

    private(set) var members: [Member] = []
    /// True after a failure whose reason may pass.
    var isRetry = false
    /// True if it was sent by the name of a prepared statement.
    var isNamed = false
    private var notifications: Set<Notification> = []
    private var size = 0

    /// A large message has a transaction to itself.
    private static let largestSize = 65_536

    init(isRetry: Bool = false) {
        self.isRetry = isRetry
    }

    /// Adds a member. Returns false if it must go into another group.
    mutating func add(_ member: Member) -> Bool {
        let bytes = member.texts.reduce(0) { $0 + $1.count }
        guard members.isEmpty || member.texts.count == 1 && size + bytes <= PublishGroup.largestSize
        else { return false }
        if let text = member.texts.first, member.texts.count == 1 {
            let notification = Notification(channel: member.publication.channel, text: text)
            guard notifications.insert(notification).inserted else { return false }
        }
        members.append(member)
        size += bytes
        return true
    }
}
