import BroadcasterWire

/// Messages in runs and the gaps between them, in the order in which a subscriber gets them. A pure value.
struct DeliveryQueue: Sendable {
    enum Entry: Sendable {
        case run(PendingRun)
        // Indirect: gaps are rare, and an entry that has no room for one is faster to move.
        indirect case gap(DeliveryGap)
        /// A further loss while a gap is open: a gap from then on, once that one is closed.
        indirect case lostAgain(since: Instant, reason: String)
    }

    private var entries = Queue<Entry>()

    var isEmpty: Bool { entries.isEmpty }
    var first: Entry? { entries.first }

    mutating func append(_ run: PendingRun) {
        entries.append(.run(run))
    }

    /// Adds a gap at the end. Gaps of one kind with no message between them are one, so there are
    /// never more than a few for each message that waits.
    mutating func append(_ gap: DeliveryGap) {
        if !fold(gap, intoThoseBefore: entries.count) { entries.append(.gap(gap)) }
    }

    /// Marks a further loss, if there is a message behind the one before.
    mutating func appendLoss(since: Instant, _ reason: String) {
        for index in (0..<entries.count).reversed() {
            switch entries[index] {
            case .lostAgain: return
            case .run: return entries.append(.lostAgain(since: since, reason: reason))
            case .gap, nil: continue
            }
        }
    }

    /// Adds all of another queue, whose losses are over.
    ///
    /// - Parameter now: the end of its losses; nil where they cost no message, or are not to be reported.
    mutating func append(contentsOf other: DeliveryQueue, lossesEndingAt now: Instant?) {
        for index in 0..<other.entries.count {
            switch other.entries[index] {
            case .run(let run): append(run)
            case .gap(let gap): append(gap)
            case .lostAgain(let since, let reason):
                if let now { append(.connectionLost(reason: reason, for: now - since)) }
            case nil: break
            }
        }
    }

    /// Adds all of another queue, whose losses are not over.
    mutating func append(contentsOf other: DeliveryQueue) {
        for index in 0..<other.entries.count {
            if let entry = other.entries[index] { entries.append(entry) }
        }
    }

    @discardableResult
    mutating func removeFirst() -> Entry? {
        entries.removeFirst()
    }

    /// Takes the first message out, if there is any; the result is its size. Gaps that it stood between become one.
    mutating func dropOldest() -> (range: Range<Int>, nameSize: Int)? {
        guard let index = (0..<entries.count).first(where: { run(at: $0) != nil }),
            var run = run(at: index)
        else { return nil }
        let range = run.advance()
        if run.left > 0 {
            entries[index] = .run(run)
        } else {
            entries.remove(at: index)
            foldFirstGaps()
        }
        return (range, Int(run.nameSize))
    }

    private func run(at index: Int) -> PendingRun? {
        guard case .run(let run) = entries[index] else { return nil }
        return run
    }

    // MARK: Folding

    /// Folds the gaps at the front that the last message between them has left.
    private mutating func foldFirstGaps() {
        var index = 1
        while index < entries.count, run(at: index - 1) == nil, run(at: index) == nil {
            if case .gap(let gap)? = entries[index], fold(gap, intoThoseBefore: index) {
                entries.remove(at: index)
            } else {
                index += 1
            }
        }
    }

    /// Makes the gap one with another of the gaps right before `index`, if there is one of its kind.
    private mutating func fold(_ gap: DeliveryGap, intoThoseBefore index: Int) -> Bool {
        for other in (0..<index).reversed() {
            switch entries[other] {
            case .run: return false
            case .gap(let earlier):
                guard let folded = DeliveryQueue.fold(earlier, gap) else { continue }
                entries[other] = .gap(folded)
                return true
            case .lostAgain, nil: continue
            }
        }
        return false
    }

    private static func fold(_ first: DeliveryGap, _ second: DeliveryGap) -> DeliveryGap? {
        switch (first, second) {
        case (.connectionLost(let reason, let one), .connectionLost(_, let two)):
            .connectionLost(reason: reason, for: one + two)
        case (.undeliverable, .undeliverable): first
        case (.overflow(let one), .overflow(let two)): .overflow(lost: one + two)
        case (.dropped(let one, let reason), .dropped(let two, _)):
            .dropped(lost: one + two, reason)
        case (.trimmed(let one), .trimmed(let two)):
            if let one, let two { .trimmed(lost: one + two) } else { .trimmed(lost: nil) }
        case (.reset, .reset): first
        default: nil
        }
    }
}

/// A run of a block, of which the first messages may have been taken.
struct PendingRun: Sendable {
    let block: MessageBlock
    let number: Int32
    private(set) var left: Int32
    /// The bytes that each message counts beside its own.
    let nameSize: Int32
    private let positionSize: Int32
    private var offset: Int

    init(_ block: MessageBlock, _ number: Int, _ extent: MessageBlock.Extent) {
        self.block = block
        self.number = Int32(truncatingIfNeeded: number)
        left = Int32(truncatingIfNeeded: extent.count)
        nameSize = Int32(truncatingIfNeeded: block.origin(ofRun: number).nameSize)
        positionSize = Int32(truncatingIfNeeded: extent.positionSize)
        offset = extent.start
    }

    /// Takes the first message off.
    mutating func advance() -> Range<Int> {
        let message = block.message(at: offset, positionSize: Int(positionSize))
        left -= 1
        offset = message.upperBound
        return message
    }
}
