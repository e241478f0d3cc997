/// A channel by its name, or every channel that matches a pattern: the thing that a subscriber subscribes to.
///
/// Names are equal where their bytes are, as they are to a server; to Swift "é" and "e" with an accent
/// after it are the same text.
public enum TopicName: Hashable, Sendable {
    case channel(String)
    case pattern(String)
    /// A channel whose name is not UTF-8.
    case binaryChannel([UInt8])

    /// The channel whose name has these bytes.
    public static func channel(bytes: [UInt8]) -> TopicName {
        String(validating: bytes, as: UTF8.self).map { .channel($0) } ?? .binaryChannel(bytes)
    }

    /// The name as text. Bytes that are not UTF-8 become U+FFFD.
    public var text: String {
        switch self {
        case .channel(let name), .pattern(let name): name
        case .binaryChannel(let name): String(decoding: name, as: UTF8.self)
        }
    }

    /// The name's bytes.
    public var bytes: [UInt8] {
        switch self {
        case .channel(let name), .pattern(let name): Array(name.utf8)
        case .binaryChannel(let name): name
        }
    }

    /// True if the name has these bytes.
    package func isNamed(_ bytes: Span<UInt8>) -> Bool {
        switch self {
        case .channel(let name), .pattern(let name): name.utf8.span.isEqual(to: bytes)
        case .binaryChannel(let name): name.span.isEqual(to: bytes)
        }
    }

    /// True if both are of a kind, and have the same bytes.
    public static func == (one: TopicName, other: TopicName) -> Bool {
        guard one.isPattern == other.isPattern else { return false }
        return switch other {
        case .channel(let name), .pattern(let name): one.isNamed(name.utf8.span)
        case .binaryChannel(let name): one.isNamed(name.span)
        }
    }

    /// Hashes the kind and the bytes.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(isPattern)
        switch self {
        case .channel(let name), .pattern(let name): name.utf8.span.hash(into: &hasher)
        case .binaryChannel(let name): name.span.hash(into: &hasher)
        }
    }

    /// True for a pattern.
    public var isPattern: Bool {
        switch self {
        case .channel, .binaryChannel: false
        case .pattern: true
        }
    }
}

/// A topic and the number that the core gave it, so that a message finds its subscribers by index.
public struct Topic: Hashable, Sendable {
    /// The number, by which messages are reported.
    public let id: Int
    /// The name or the pattern.
    public let name: TopicName

    /// A topic, as the core or a test makes it.
    public init(id: Int, name: TopicName) {
        self.id = id
        self.name = name
    }
}

/// The source of messages: their channel. One object serves all messages of a channel.
public final class Origin: Sendable {
    /// Bytes of the name that are not UTF-8 are U+FFFD here.
    public let channel: String
    /// The pattern that matched, for a subscription to a pattern.
    public let pattern: String?
    /// The name's bytes, where they are not UTF-8.
    public let binaryName: [UInt8]?

    /// The origin of messages of a channel whose name is text.
    public init(channel: String, pattern: String? = nil) {
        self.channel = channel
        self.pattern = pattern
        binaryName = nil
    }

    /// - Parameter name: of a channel.
    public init(_ name: TopicName, pattern: String? = nil) {
        channel = name.text
        self.pattern = pattern
        binaryName = if case .binaryChannel(let bytes) = name { bytes } else { nil }
    }

    /// The name's bytes.
    public var channelBytes: [UInt8] { binaryName ?? Array(channel.utf8) }

    /// The bytes that each message from here keeps in memory beside its own: the name, where a pattern matched it.
    package var nameSize: Int {
        pattern == nil ? 0 : channel.utf8.count + (binaryName?.count ?? 0)
    }

    /// True if the channel's name lies in `bytes` at `range`.
    package func isNamed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let name = channel.utf8.span
        if name.count == range.count, bytes.holds(name, at: range.lowerBound) {
            // Else the name of a channel that has U+FFFD where this one has other bytes.
            return binaryName == nil
        }
        guard let binaryName, binaryName.count == range.count else { return false }
        return bytes.holds(binaryName.span, at: range.lowerBound)
    }
}
