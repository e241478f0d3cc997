/// A channel by its name, or every channel that matches a pattern: the thing that a subscriber subscribes to.
///
/// Names are equal where their bytes are, as they are to a server; to Swift "é" and "e" with an accent
/// after it are the same text.
package enum TopicName: Hashable, Sendable {
    case channel(String)
    case pattern(String)

    package var text: String {
        switch self {
        case .channel(let name), .pattern(let name): name
        }
    }

    package static func == (one: TopicName, other: TopicName) -> Bool {
        one.isPattern == other.isPattern && one.text.utf8.span.isEqual(to: other.text.utf8.span)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(isPattern)
        text.utf8.span.hash(into: &hasher)
    }

    package var isPattern: Bool {
        switch self {
        case .channel: false
        case .pattern: true
        }
    }
}

/// A topic and the number that the core gave it, so that a message finds its subscribers by index.
package struct Topic: Hashable, Sendable {
    package let id: Int
    package let name: TopicName

    package init(id: Int, name: TopicName) {
        self.id = id
        self.name = name
    }
}

/// The source of messages: their channel. One object serves all messages of a channel.
package final class Origin: Sendable {
    package let channel: String
    /// The pattern that matched, for a subscription to a pattern.
    package let pattern: String?
    /// The bytes that each message from here keeps in memory beside its own: the name, where a pattern matched it.
    package let nameSize: Int

    package init(channel: String, pattern: String? = nil) {
        self.channel = channel
        self.pattern = pattern
        nameSize = pattern == nil ? 0 : channel.utf8.count
    }
}
