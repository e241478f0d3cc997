/// A place in a channel's history between two messages, by the message next to it: from there a reader goes on.
///
/// The message next to it is the proof that nothing is missing: a page is read with it, and where another stands in its
/// place the reader has lost something, which the page says.
public struct Cursor: Hashable, Sendable {
    /// The position of the message next to it.
    public let position: Position
    /// True before the message at `position`, false behind it.
    public let isInclusive: Bool

    private init(_ position: Position, isInclusive: Bool) {
        self.position = position
        self.isInclusive = isInclusive
    }

    /// The place behind the message at `position`.
    public static func after(_ position: Position) -> Cursor {
        Cursor(position, isInclusive: false)
    }

    /// The message at `position` is the next.
    public static func from(_ position: Position) -> Cursor {
        Cursor(position, isInclusive: true)
    }
}

extension Cursor: Comparable {
    /// The order of places in one channel's history.
    public static func < (one: Cursor, other: Cursor) -> Bool {
        if one.position == other.position { return one.isInclusive && !other.isInclusive }
        return one.position < other.position
    }
}

/// The place in a channel's history at which a subscription begins.
public enum HistoryStart: Hashable, Sendable {
    /// With what is published from now on.
    case new
    /// With the newest messages, so many. Fewer are no error.
    case last(Int)
    /// With what was published in this time, by the server's clock.
    case since(Duration)
    /// Behind a message.
    case after(Position)
    /// With the oldest message that is kept.
    case all
}

/// A request to read from a channel's history. Its answer has its ticket.
public struct HistoryRequest: Hashable, Sendable {
    /// The messages that are wanted, or the place.
    public enum Kind: Hashable, Sendable {
        /// The cursor of a start: answered by a page without messages.
        case start(HistoryStart)
        case forwards(PageRequest)
        /// The newest messages before a position, or the newest of all; oldest first.
        case backwards(before: Position?, count: Int)
    }

    /// The number by which the core knows the answer.
    public let ticket: UInt64
    /// The channel, which may have no subscriber: then its number is of no use.
    public let channel: Topic
    /// The part of the history that is wanted.
    public let kind: Kind

    /// A request, as the core makes it.
    public init(ticket: UInt64, channel: Topic, kind: Kind) {
        self.ticket = ticket
        self.channel = channel
        self.kind = kind
    }
}

/// The messages behind a cursor.
public struct PageRequest: Hashable, Sendable {
    /// The place at which the page begins.
    public let cursor: Cursor
    /// The last message to read; nil, or a position of another life of the channel or before the cursor's, for no end.
    public let end: Position?
    /// The most messages to read. The session may read fewer, so that a page stays below some 256 KiB.
    public let count: Int
    /// Positions that were read before the cursor, the newest last: where the server's history differs from what was read
    /// (after a failover, say), the reader goes on behind the newest of them that is still there.
    public let earlier: [Position]

    /// A part of a history that is read forwards.
    public init(cursor: Cursor, end: Position? = nil, count: Int, earlier: [Position] = []) {
        self.cursor = cursor
        self.end = end
        self.count = count
        self.earlier = earlier
    }
}

/// The answer to a request.
public struct HistoryPage: Sendable {
    /// The state of the place that the page was to begin at.
    public enum Verdict: Hashable, Sendable {
        /// The message next to the cursor is there: nothing is missing.
        case kept
        /// The server has dropped messages behind the cursor: so many, where it can tell.
        case trimmed(lost: Int?)
        /// The history is another one, or has lost its end: it was made anew, or a server took over that lagged behind.
        case reset
    }

    /// The ticket of the request.
    public let ticket: UInt64
    /// The state of the place that the page was to begin at.
    public let verdict: Verdict
    /// The messages, in one run, with positions. None where the verdict is another than `kept`: the reader is told of the
    /// gap, and goes on at `next`.
    public let messages: MessageBlock?
    /// The place behind the page, or where to go on. Before the page, for one that was read backwards.
    public let next: Cursor
    /// True if there was nothing more to read, up to the request's end.
    public let isEnd: Bool

    /// An answer, or a page without messages.
    public init(
        ticket: UInt64, verdict: Verdict = .kept, messages: MessageBlock? = nil, next: Cursor,
        isEnd: Bool
    ) {
        self.ticket = ticket
        self.verdict = verdict
        self.messages = messages
        self.next = next
        self.isEnd = isEnd
    }
}
