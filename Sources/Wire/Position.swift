/// The place of a message in its channel's history: bytes that only the backend understands, 24 at most where the
/// history is one stream, and more where it has several.
///
/// Positions of one stream are ordered as their bytes are, so a backend writes its numbers with the highest byte first.
/// Those of two streams, or of two backends, have no order that means anything.
public struct Position: Hashable, Sendable, Comparable {
    /// The most bytes of a position.
    public static let longest = 4096

    /// The bytes, the first in the highest place, zero beyond `count`.
    private(set) var words: InlineArray<3, UInt64> = [0, 0, 0]
    /// Those beyond 24.
    private var more: [UInt8] = []
    /// The number of bytes.
    public let count: Int

    /// A position of at most 4,096 bytes; nil for more.
    ///
    /// The same as for any collection, without a generic function of another module: that took half of the time of the
    /// event loop where a backend makes a position for each message that it has published.
    public init?(_ bytes: [UInt8]) {
        self.init(bytes, bytes.indices)
    }

    /// The same for a part of an array.
    init?(_ bytes: [UInt8], _ range: Range<Int>) {
        guard range.count <= Position.longest else { return nil }
        count = range.count
        for index in 0..<min(24, count) {
            words[index / 8] |= UInt64(bytes[range.lowerBound + index]) << (56 - 8 * (index % 8))
        }
        if count > 24 { more = Array(bytes[range].dropFirst(24)) }
    }

    /// A position of at most 4,096 bytes; nil for more.
    public init?(_ bytes: some Collection<UInt8>) {
        self.init(Array(bytes))
    }

    /// Before the first message of a channel that has none yet: no bytes.
    public static let origin = Position()

    private init() {
        count = 0
    }

    /// A position of two numbers, the first the more significant.
    public init(_ major: UInt64, _ minor: UInt64) {
        words = [major, minor, 0]
        count = 16
    }

    /// A position of two numbers in a life of the channel, which `epoch` tells from others.
    public init(epoch: UInt64, _ major: UInt64, _ minor: UInt64) {
        words = [epoch, major, minor]
        count = 24
    }

    /// The two numbers of a position that has no epoch.
    public var pair: (major: UInt64, minor: UInt64)? {
        count == 16 ? (words[0], words[1]) : nil
    }

    /// The numbers of a position that has an epoch.
    public var triple: (epoch: UInt64, major: UInt64, minor: UInt64)? {
        count == 24 ? (words[0], words[1], words[2]) : nil
    }

    /// The bytes, as `init(_:)` takes them.
    public var bytes: [UInt8] {
        (0..<min(count, 24)).map {
            UInt8(truncatingIfNeeded: words[$0 / 8] >> (56 - 8 * ($0 % 8)))
        } + more
    }

    /// True if both have the same bytes.
    public static func == (one: Position, other: Position) -> Bool {
        one.words[0] == other.words[0] && one.words[1] == other.words[1]
            && one.words[2] == other.words[2] && one.count == other.count && one.more == other.more
    }

    /// The order of the bytes, a shorter one before a longer one that begins with it.
    public static func < (one: Position, other: Position) -> Bool {
        for index in 0..<3 where one.words[index] != other.words[index] {
            return one.words[index] < other.words[index]
        }
        if one.more != other.more { return one.more.lexicographicallyPrecedes(other.more) }
        return one.count < other.count
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        for index in 0..<3 { hasher.combine(words[index]) }
        hasher.combine(count)
        hasher.combine(more)
    }
}
