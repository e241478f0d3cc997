package import BroadcasterWire

/// What waits for one subscriber: messages in runs, and the gaps between them. A pure value.
///
/// A gap that is still open (the connection is gone) stands in its place in the sequence, and nothing
/// behind it is delivered until it is closed: so each loss is told once, after the last message
/// before it and before the first one after it, however many connections were tried in between.
package struct MailboxState: Sendable {
    private enum Entry: Sendable {
        case block(Remainder)
        // Indirect: gaps are rare, and an `Instant` has no layout that the compiler knows, which would make every
        // entry slow to move.
        indirect case gap(DeliveryGap)
        /// The connection was lost then and is not back.
        indirect case openGap(since: Instant, reason: String)
    }

    /// A run of a block, of which the first messages may be gone.
    private struct Remainder: Sendable {
        let block: MessageBlock
        let run: Int32
        var left: Int32
        /// What each message counts beside its bytes.
        let nameSize: Int32
        var offset: Int

        init(_ block: MessageBlock, _ number: Int, _ extent: MessageBlock.Extent) {
            self.block = block
            run = Int32(truncatingIfNeeded: number)
            left = Int32(truncatingIfNeeded: extent.count)
            nameSize = Int32(truncatingIfNeeded: block.origin(ofRun: number).nameSize)
            offset = extent.start
        }

        /// Takes the first message off.
        mutating func advance() -> Range<Int> {
            let message = block.message(at: offset)
            left -= 1
            offset = message.upperBound
            return message
        }
    }

    private let limits: MailboxLimits
    /// The block that messages are being taken from. It comes before all entries.
    private var opened: Remainder?
    private var entries = Queue<Entry>()
    /// Messages that fell since the last one delivered: a gap before everything here.
    private var fallen = 0
    private var end: SubscriptionFailure??
    package private(set) var count = 0
    /// Of messages, and of names that a pattern has matched.
    package private(set) var byteCount = 0
    package private(set) var delivered = 0
    package private(set) var dropped = 0

    package init(limits: MailboxLimits) {
        self.limits = limits
    }

    // MARK: What comes in

    /// Messages for this subscriber: a run of a block.
    package mutating func offer(_ block: MessageBlock, _ number: Int = 0) {
        guard end == nil else { return }
        let run = block.extent(ofRun: number)
        switch limits.overflow {
        case .dropOldest:
            append(block, number, run)
            while isOver { dropOldest() }
        case .dropNewest: lose(run.count - appendWhatFits(block, number, run))
        case .fail:
            let lost = run.count - appendWhatFits(block, number, run)
            guard lost > 0 else { return }
            dropped += lost
            end = .some(.overflow(lost: lost))
        }
    }

    /// Something came that is no message any more.
    package mutating func miss(_ reason: String) {
        guard end == nil else { return }
        addGap(.gap(.undeliverable(reason)))
    }

    /// The connection is gone. A gap that is already open and has nothing behind it goes on.
    package mutating func interrupt(at now: Instant, reason: String) {
        guard end == nil else { return }
        addGap(.openGap(since: now, reason: reason))
    }

    /// Everything that this subscriber wants is subscribed again.
    package mutating func resume(at now: Instant) {
        let waiting = entries
        entries.removeAll()
        for index in 0..<waiting.count {
            switch waiting[index] {
            case .openGap(let since, let reason):
                addGap(.gap(.connectionLost(reason: reason, for: now - since)))
            case let entry?: entries.append(entry)
            case nil: break
            }
        }
    }

    /// Nothing more comes; what is here is still delivered, open gaps are discarded.
    package mutating func finish(_ failure: SubscriptionFailure?) {
        if end == nil { end = .some(failure) }
    }

    // MARK: What goes out

    /// The next of the sequence, or nil while there is none.
    package mutating func next() -> Delivery? {
        while true {
            if fallen > 0 {
                defer { fallen = 0 }
                return .gap(.overflow(lost: fallen))
            }
            if let message = nextMessage() { return .message(message) }
            switch entries.first {
            case .gap(let gap):
                _ = entries.removeFirst()
                return .gap(gap)
            case .openGap where end == nil: return nil
            case .openGap: _ = entries.removeFirst()
            case .block, nil: return end.map { .end($0) }
            }
        }
    }

    /// The next of the sequence, if it is a message.
    package mutating func nextMessage() -> DeliveredMessage? {
        guard fallen == 0 else { return nil }
        if let message = nextOfOpened() { return message }
        guard case .block(let block)? = entries.first else { return nil }
        _ = entries.removeFirst()
        opened = block
        return nextOfOpened()
    }

    /// There is something for `next`.
    package var isReady: Bool {
        if fallen > 0 || opened != nil || end != nil { return true }
        switch entries.first {
        case .block, .gap: return true
        case .openGap, nil: return false
        }
    }

    private mutating func nextOfOpened() -> DeliveredMessage? {
        guard let block = opened?.block, let run = opened?.run, let nameSize = opened?.nameSize,
            let range = opened?.advance()
        else { return nil }
        if opened?.left == 0 { opened = nil }
        count -= 1
        byteCount -= range.count + Int(nameSize)
        delivered += 1
        return DeliveredMessage(block: block, run: run, range: range)
    }

    // MARK: Bounds

    /// One message is never over: the longest that a server may send is longer than the default buffer.
    private var isOver: Bool {
        count > 1 && (count > limits.messages || byteCount > limits.bytes)
    }

    private mutating func append(_ block: MessageBlock, _ number: Int, _ run: MessageBlock.Extent) {
        guard run.count > 0 else { return }
        entries.append(.block(Remainder(block, number, run)))
        count += run.count
        byteCount += run.payloadSize + run.count * block.origin(ofRun: number).nameSize
    }

    /// Adds as many messages of the run, from its first, as there is room for. The result is how many. They are copied,
    /// so that the others do not stay in memory.
    private mutating func appendWhatFits(
        _ block: MessageBlock, _ number: Int, _ run: MessageBlock.Extent
    ) -> Int {
        let nameSize = block.origin(ofRun: number).nameSize
        let size = run.payloadSize + run.count * nameSize
        if count + run.count <= limits.messages, byteCount + size <= limits.bytes {
            append(block, number, run)
            return run.count
        }
        var room = limits.bytes - byteCount
        var fitting = 0
        var offset = run.start
        while fitting < min(run.count, limits.messages - count) {
            let message = block.message(at: offset)
            room -= message.count + nameSize
            if room < 0, count + fitting > 0 { break }
            fitting += 1
            offset = message.upperBound
        }
        if fitting > 0 {
            let copy = block.copy(ofRun: number, first: fitting, endingAt: offset)
            append(copy, 0, copy.extent(ofRun: 0))
        }
        return fitting
    }

    private mutating func dropOldest() {
        let index = opened == nil ? firstRun() : nil
        guard var current = opened ?? index.flatMap({ remainder(at: $0) }) else { return }
        let range = current.advance()
        count -= 1
        byteCount -= range.count + Int(current.nameSize)
        dropped += 1
        // Told before everything here, also before a gap that stands first: between the two there is no
        // message, and the order within such a stretch says nothing.
        fallen += 1
        if let index {
            if current.left > 0 {
                entries[index] = .block(current)
            } else {
                entries.remove(at: index)
                foldFirstGaps()
            }
        } else {
            opened = current.left > 0 ? current : nil
        }
    }

    private func firstRun() -> Int? {
        (0..<entries.count).first { remainder(at: $0) != nil }
    }

    private func remainder(at index: Int) -> Remainder? {
        guard case .block(let remainder) = entries[index] else { return nil }
        return remainder
    }

    // MARK: Gaps

    /// Tells of messages that fell at the end of the sequence.
    private mutating func lose(_ number: Int) {
        guard number > 0 else { return }
        dropped += number
        addGap(.gap(.overflow(lost: number)))
    }

    /// Adds a gap at the end. Gaps of one kind with no message between them are one, so there are
    /// never more than a few for each message that waits.
    private mutating func addGap(_ gap: Entry) {
        if !fold(gap, intoThoseBefore: entries.count) { entries.append(gap) }
    }

    /// After the messages between them fell, the gaps at the front may be foldable.
    private mutating func foldFirstGaps() {
        var index = 1
        while index < entries.count, remainder(at: index - 1) == nil, remainder(at: index) == nil,
            let gap = entries[index]
        {
            if fold(gap, intoThoseBefore: index) {
                entries.remove(at: index)
            } else {
                index += 1
            }
        }
    }

    /// Makes the gap one with another of the gaps right before `index`, if there is one of its kind.
    private mutating func fold(_ gap: Entry, intoThoseBefore index: Int) -> Bool {
        for other in (0..<index).reversed() {
            guard remainder(at: other) == nil, let entry = entries[other] else { return false }
            if let folded = MailboxState.fold(entry, gap) {
                entries[other] = folded
                return true
            }
        }
        return false
    }

    private static func fold(_ first: Entry, _ second: Entry) -> Entry? {
        switch (first, second) {
        case (.openGap, .openGap): first
        case (.gap(.connectionLost(let reason, let one)), .gap(.connectionLost(_, let two))):
            .gap(.connectionLost(reason: reason, for: one + two))
        case (.gap(.undeliverable), .gap(.undeliverable)): first
        case (.gap(.overflow(let one)), .gap(.overflow(let two))):
            .gap(.overflow(lost: one + two))
        default: nil
        }
    }
}
