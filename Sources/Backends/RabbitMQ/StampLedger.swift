import BroadcasterWire

/// The last number seen of each publisher on each channel, by which holes are found. A pure value.
struct StampLedger: Sendable {
    /// Publishers are anybody: beyond this many all are forgotten, and begin anew with what comes next.
    private static let limit = 16_384
    /// The largest hole that is believed. Anybody may write any number.
    private static let longestHole: Int64 = 1 << 32

    /// The places of publishers in `numbers`, by channel and name.
    private var places: [[UInt8]: [[UInt8]: Int]] = [:]
    private var numbers: [Int64] = []
    /// The entry that was used last, so that a busy publisher's is found without a look-up.
    private var last: (publisher: [UInt8], channel: [UInt8], place: Int)?

    /// Notes a message. Returns how many are missing before it.
    ///
    /// The first number of a publisher is where its counting begins: what came before may have been published before
    /// this subscription. A number that does not ascend begins anew too.
    mutating func missing(before stamp: MessageStamp, on channel: [UInt8]) -> Int {
        let place = place(of: stamp.publisher, on: channel)
        return advance(place, to: stamp.number)
    }

    /// The same, for the one whose number was noted last. nil where that is another one.
    mutating func missing(
        before number: Int64, of publisher: Span<UInt8>, isSameChannel: Bool
    ) -> Int? {
        guard isSameChannel, let last, last.publisher.span.isEqual(to: publisher) else {
            return nil
        }
        return advance(last.place, to: number)
    }

    private mutating func advance(_ place: Int, to number: Int64) -> Int {
        let earlier = numbers[place]
        numbers[place] = number
        guard earlier > 0, number > earlier, number - earlier <= StampLedger.longestHole else {
            return 0
        }
        return Int(number - earlier - 1)
    }

    private mutating func place(of publisher: [UInt8], on channel: [UInt8]) -> Int {
        if let last, last.publisher == publisher, last.channel == channel { return last.place }
        if let place = places[channel]?[publisher] {
            last = (publisher, channel, place)
            return place
        }
        if numbers.count >= StampLedger.limit { forgetAll() }
        let place = numbers.count
        places[channel, default: [:]][publisher] = place
        numbers.append(0)
        last = (publisher, channel, place)
        return place
    }

    /// Forgets a channel, of which messages may have passed that were nobody's here.
    mutating func forget(_ channel: [UInt8]) {
        guard places.removeValue(forKey: channel) != nil else { return }
        last = nil
    }

    mutating func forgetAll() {
        places = [:]
        numbers = []
        last = nil
    }
}
