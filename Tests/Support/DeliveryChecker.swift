/// Decides from two logs alone whether a subscriber got the promised deliveries: each message once and in order, or a
/// gap in its place.
///
/// It knows nothing of the way the messages came, nor of the faults meanwhile. Where the server keeps history it is stricter:
/// no gap is allowed, and the order is that of each channel alone, since each has a cursor of its own.
package struct DeliveryChecker: Sendable {
    private struct Place: Sendable {
        /// The last number delivered.
        var number = 0
        /// The number of gaps reported by then.
        var gaps = 0
    }

    private enum Phase: Sendable {
        case outside
        case subscribed(at: Int)
        case ended
    }

    private let published: PublishedLog
    private let keepsHistory: Bool
    private let ordersChannels: Bool
    private var phase = Phase.outside
    private var places: [Substring: Place] = [:]
    private var lastPosition: UInt32 = 0
    private var ledger = GapLedger()
    private var line = 0
    private var verdict = DeliveryVerdict()

    package static func check(
        published: some Sequence<Substring>, subscriber: some Sequence<Substring>,
        keepsHistory: Bool = false
    ) -> DeliveryVerdict {
        var checker = DeliveryChecker(PublishedLog(published), keepsHistory: keepsHistory)
        for line in subscriber { checker.read(line) }
        return checker.finish()
    }

    /// - Parameters:
    ///   - keepsHistory: whether a gap is a violation, since the server has kept what is missing.
    ///   - ordersChannels: whether the server has one order of the messages of all channels.
    package init(
        _ published: PublishedLog, keepsHistory: Bool = false, ordersChannels: Bool = true
    ) {
        self.published = published
        self.keepsHistory = keepsHistory
        self.ordersChannels = ordersChannels
        for mistake in published.mistakes { verdict.add(.readableLog, 0, mistake) }
    }

    package mutating func read(_ text: Substring) {
        line += 1
        switch (phase, SubscriberLine(text)) {
        case (.outside, .subscribed(let moment, let channels)): enter(channels, at: moment)
        case (.subscribed(let moment), .message(let channel, let number)):
            deliver(number, on: channel, subscribedAt: moment)
        case (.subscribed, .gap(let reason, let lost, let moment)): tell(reason, lost, moment)
        case (.subscribed, .left): phase = .outside
        case (.subscribed(let moment), .end):
            for channel in places.keys.sorted() { end(channel, subscribedAt: moment) }
            phase = .ended
        default: verdict.add(.readableLog, line, "out of place, or not a line of a log: \(text)")
        }
    }

    package mutating func finish() -> DeliveryVerdict {
        switch phase {
        case .outside where line > 0: break
        case .ended: break
        default: verdict.add(.readableLog, line, "the log is cut short")
        }
        settle()
        return verdict
    }

    // MARK: The lines

    /// A later visit goes on with the numbers of the one before; the gaps of that one cover nothing in this.
    private mutating func enter(_ channels: [Substring], at moment: Int) {
        let before = places
        places = [:]
        for channel in channels {
            let name = Substring(String(channel))
            places[name] = Place(number: before[name]?.number ?? 0, gaps: ledger.count)
        }
        phase = .subscribed(at: moment)
    }

    private mutating func deliver(_ number: Int, on channel: Substring, subscribedAt moment: Int) {
        verdict.delivered += 1
        guard let place = places[channel], let entry = published.channels[channel]?[number] else {
            return verdict.add(.published, line, "\(channel) \(number) was never published for it")
        }
        guard number > place.number else {
            return verdict.add(
                .ascending, line, "\(channel) \(number) comes after \(place.number)")
        }
        if ordersChannels, !keepsHistory, entry.position <= lastPosition {
            verdict.add(
                .serverOrder, line, "\(channel) \(number) comes after what was accepted later")
        }
        lastPosition = max(lastPosition, entry.position)
        miss(place.number + 1..<number, on: channel, since: place, subscribedAt: moment)
        places[channel] = Place(number: number, gaps: ledger.count)
    }

    private mutating func tell(_ reason: Substring, _ lost: Int?, _ moment: Int) {
        verdict.gaps[String(reason), default: 0] += 1
        if keepsHistory { verdict.add(.noGap, line, "a gap (\(reason)) where history is kept") }
        if lost == 0 { verdict.add(.exactCount, line, "a gap of no message") }
        ledger.add(lost: lost, line: line, moment: moment)
    }

    private mutating func end(_ channel: Substring, subscribedAt moment: Int) {
        guard let place = places[channel], let all = published.channels[channel] else { return }
        if place.number < all.entries.count {
            miss(
                place.number + 1..<all.entries.count + 1, on: channel, since: place,
                subscribedAt: moment)
        }
        // A gap covers the messages missing before it, but a subscriber that receives nothing ever after is deaf.
        if let final = all.final, place.number != final {
            verdict.add(
                .finalMessage, line, "\(channel) ends with \(place.number), not with \(final)")
        }
    }

    // MARK: What is missing

    /// Accounts for numbers that were not delivered: only gaps after `place` may cover them.
    private mutating func miss(
        _ numbers: Range<Int>, on channel: Substring, since place: Place, subscribedAt moment: Int
    ) {
        guard !numbers.isEmpty, let entries = published.channels[channel]?.entries else { return }
        var owed = 0
        var lastOwed: (number: Int, sentAt: Int)?
        for number in numbers {
            let entry = entries[number - 1]
            guard entry.isAccepted, entry.sentAt >= moment else { continue }
            owed += 1
            lastOwed = (number, entry.sentAt)
        }
        let stretch = place.gaps..<ledger.count
        ledger.miss(atLeast: owed, atMost: numbers.count, in: stretch)
        guard let lastOwed else { return }
        let what = "\(channel): \(owed) of \(numbers.lowerBound)...\(numbers.upperBound - 1)"
        guard let gap = stretch.isEmpty ? nil : ledger.gaps.last else {
            return verdict.add(.gapInItsPlace, line, "\(what) missing without a gap")
        }
        guard lastOwed.sentAt <= gap.moment else {
            let late = "\(lastOwed.number) was sent after the gap of line \(gap.line)"
            return verdict.add(.gapAfterTheLoss, line, "\(what) missing, and \(late)")
        }
        verdict.covered += owed
    }

    private mutating func settle() {
        for account in ledger.accounts {
            if account.atLeast == 0, !account.isCounted { verdict.emptyGaps += account.gaps }
            let fits =
                account.isCounted
                ? account.atLeast...account.atMost ~= account.told : account.told <= account.atMost
            if account.isCounted { verdict.countedOverflows += account.gaps }
            if !fits {
                let missing = "\(account.atLeast) to \(account.atMost)"
                verdict.add(
                    .exactCount, account.line,
                    "overflow told of \(account.told), missing are \(missing), gaps: \(account.gaps)"
                )
            }
        }
    }
}
