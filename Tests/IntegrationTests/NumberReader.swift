import Broadcaster
import Testing

/// Reads the numbers that `publishNumbers` publishes. They follow each other, except behind a gap; one that is repeated was
/// published twice, since the outcome of the first attempt was not known.
struct NumberReader {
    private var sight: Sight
    private var isBehindGap = true
    /// The last number that was read.
    private(set) var last = 0
    private(set) var gaps: [String] = []

    /// Room for all that comes while the test does something else.
    private static let buffer = SubscriptionBuffer(messages: 10_000_000, bytes: 1 << 30)

    init(_ channel: String, of broadcast: Broadcast) async throws {
        sight = Sight(try await broadcast.subscribe(to: channel, buffer: NumberReader.buffer))
    }

    /// Reads so many numbers, and the gaps among them.
    ///
    /// - Parameter isComplete: numbers may be missing without a gap: a server that died had accepted them.
    mutating func read(_ count: Int, isComplete: Bool = true) async throws {
        var left = count
        while left > 0 {
            let seen = try await sight.next()
            if seen.hasPrefix("gap") {
                gaps.append(seen)
                isBehindGap = true
                continue
            }
            let number = try #require(Int(seen), "\(seen)")
            let isNext = number == last || number == last + 1
            let isLater = number >= last && (isBehindGap || !isComplete)
            #expect(isNext || isLater, "\(last) and then \(number)")
            (last, isBehindGap, left) = (number, false, left - 1)
        }
    }

    /// Reads until there was one more gap, and so many numbers behind it, among which there is none. Returns the gap.
    mutating func readPastGap(_ count: Int = 20) async throws -> String {
        let before = gaps.count
        while gaps.count == before { try await read(1) }
        try await read(count)
        #expect(gaps.count == before + 1, "\(gaps)")
        return gaps[before]
    }
}
