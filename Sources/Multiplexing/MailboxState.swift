package import BroadcasterWire

/// The messages that wait for one subscriber, in runs, and the gaps between them. A pure value.
///
/// A gap that is still open (its topics have lost their source) holds up what comes of these topics until all of them
/// are subscribed again; then it is delivered in its place, so each loss is reported once, after the last message
/// before it and before the first one after it, however many connections were tried in between.
package struct MailboxState: Sendable {
    private let limits: MailboxLimits
    /// The run that messages are being taken from. It comes before all of `queue`.
    private var opened: PendingRun?
    private var queue = DeliveryQueue()
    private var openGaps: [OpenGap] = []
    /// Messages dropped since the last delivery; reported before the next entry.
    private var droppedBefore = 0
    /// Nothing more is taken in. A flag beside the failure, since a look at that costs more, for every message.
    private var hasEnded = false
    private var failure: SubscriptionFailure?
    /// Some of what was offered had no room, and can be read again.
    package private(set) var isStarved = false
    package private(set) var count = 0
    /// The bytes of messages, and of names that a pattern has matched.
    package private(set) var byteCount = 0
    package private(set) var delivered = 0
    package private(set) var dropped = 0

    package init(limits: MailboxLimits) {
        self.limits = limits
    }

    // MARK: Inputs

    /// Adds messages for this subscriber: a run of a block.
    package mutating func offer(_ block: MessageBlock, _ number: Int = 0) {
        if hasEnded { return }
        let run = block.extent(ofRun: number)
        switch limits.overflow {
        case .dropOldest, .refill:
            append(block, number, run)
            while isOver, dropOldest() {}
        case .dropNewest:
            let lost = run.count - appendWhatFits(block, number, run)
            guard lost > 0 else { return }
            dropped += lost
            append(.overflow(lost: lost), of: block.topic(ofRun: number))
        case .fail:
            let lost = run.count - appendWhatFits(block, number, run)
            guard lost > 0 else { return }
            dropped += lost
            finish(.overflow(lost: lost))
        }
    }

    /// Adds messages of a history: as many as there is room for, if they can be read again.
    ///
    /// - Parameter isLive: whether they come with the channel's tail, so that the policy decides.
    package mutating func take(_ block: MessageBlock, isLive: Bool) -> Mailbox.Taken {
        if hasEnded { return .all }
        if isLive, limits.overflow != .refill {
            offer(block)
            return .all
        }
        let run = block.extent(ofRun: 0)
        let count = appendWhatFits(block, 0, run)
        if count == run.count { return .all }
        isStarved = true
        var last: Position?
        var number = 0
        block.forEachPosition { position in
            number += 1
            if number == count { last = position }
        }
        return .some(last)
    }

    /// Notes a gap in a history.
    package mutating func report(_ gap: DeliveryGap, of topic: Int) {
        if !hasEnded { append(gap, of: topic) }
    }

    /// The messages that there is room for.
    package var room: Int { max(limits.messages - count, 0) }

    /// True once when there is room again for what was not taken: half of the mailbox, so that a page is worth its while.
    package mutating func takeRelief() -> Bool {
        guard isStarved, count <= limits.messages / 2, byteCount <= limits.bytes / 2 else {
            return false
        }
        isStarved = false
        return true
    }

    /// Notes that something of `topic` was lost on its way, or at the server.
    package mutating func miss(_ topic: Int, _ gap: DeliveryGap) {
        if hasEnded { return }
        append(gap, of: topic)
    }

    /// Opens a gap: these topics have lost their source, together.
    package mutating func interrupt(_ topics: [Int], at now: Instant, reason: String) {
        guard !hasEnded, !topics.isEmpty else { return }
        let lost = Set(topics)
        guard let first = openGaps.firstIndex(where: { $0.overlaps(lost) }) else {
            return openGaps.append(OpenGap(lost, since: now, reason))
        }
        for other in openGaps.indices.dropFirst(first + 1).reversed()
        where openGaps[other].overlaps(lost) {
            openGaps[first].merge(openGaps.remove(at: other))
        }
        openGaps[first].lostAgain(lost, since: now, reason)
    }

    /// Notes that a topic is subscribed again; the gap is closed with the last of its topics.
    ///
    /// - Parameter isResumed: where it stood, so that nothing is missing.
    package mutating func restore(_ topic: Int, isResumed: Bool, at now: Instant) {
        for index in openGaps.indices { openGaps[index].restore(topic, isResumed: isResumed) }
        closeGaps(at: now)
    }

    /// Notes that the subscriber has left topics: no gap waits for them.
    package mutating func leave(_ topics: [Int], at now: Instant) {
        for index in openGaps.indices { for topic in topics { openGaps[index].leave(topic) } }
        closeGaps(at: now)
    }

    private mutating func closeGaps(at now: Instant) {
        while let over = openGaps.firstIndex(where: \.isOver) {
            openGaps.remove(at: over).close(at: now, into: &queue)
        }
    }

    /// Delivers what is queued, then ends; open gaps are discarded.
    package mutating func finish(_ failure: SubscriptionFailure?) {
        if hasEnded { return }
        hasEnded = true
        self.failure = failure
        for gap in openGaps { queue.append(contentsOf: gap.held, lossesEndingAt: nil) }
        openGaps = []
    }

    // MARK: Outputs

    /// The next of the sequence, or nil while there is none.
    package mutating func next() -> Delivery? {
        if droppedBefore > 0 {
            defer { droppedBefore = 0 }
            return .gap(.overflow(lost: droppedBefore))
        }
        if let message = nextMessage() { return .message(message) }
        if case .gap(let gap)? = queue.first {
            queue.removeFirst()
            return .gap(gap)
        }
        return hasEnded ? .end(failure) : nil
    }

    /// The next of the sequence, if it is a message.
    package mutating func nextMessage() -> DeliveredMessage? {
        guard droppedBefore == 0 else { return nil }
        if let message = nextOfOpened() { return message }
        guard case .run(let run)? = queue.first else { return nil }
        queue.removeFirst()
        opened = run
        return nextOfOpened()
    }

    /// True if there is something for `next`.
    package var isReady: Bool {
        droppedBefore > 0 || opened != nil || hasEnded || !queue.isEmpty
    }

    private mutating func nextOfOpened() -> DeliveredMessage? {
        guard let block = opened?.block, let run = opened?.number, let nameSize = opened?.nameSize,
            let range = opened?.advance()
        else { return nil }
        if opened?.left == 0 { opened = nil }
        count -= 1
        byteCount -= range.count + Int(nameSize)
        delivered += 1
        return DeliveredMessage(block: block, run: run, range: range)
    }

    // MARK: Places

    /// Adds a run at its topic's end of the sequence: behind the gap that holds it up, if there is one.
    private mutating func append(_ run: PendingRun, of topic: @autoclosure () -> Int) {
        if openGaps.isEmpty { return queue.append(run) }
        let topic = topic()
        if let gap = openGaps.firstIndex(where: { $0.holds(topic) }) {
            openGaps[gap].held.append(run)
        } else {
            queue.append(run)
        }
    }

    private mutating func append(_ gap: DeliveryGap, of topic: Int) {
        if let open = openGaps.firstIndex(where: { $0.holds(topic) }) {
            openGaps[open].held.append(gap)
        } else {
            queue.append(gap)
        }
    }

    // MARK: Bounds

    /// One message is never over: the longest that a server may send is longer than the default buffer.
    private var isOver: Bool {
        count > 1 && (count > limits.messages || byteCount > limits.bytes)
    }

    private mutating func append(_ block: MessageBlock, _ number: Int, _ run: MessageBlock.Extent) {
        guard run.count > 0 else { return }
        let pending = PendingRun(block, number, run)
        append(pending, of: block.topic(ofRun: number))
        count += run.count
        byteCount += run.payloadSize + run.count * Int(pending.nameSize)
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
            let message = block.message(at: offset, positionSize: run.positionSize)
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

    /// Drops the oldest message, those behind open gaps last. It is reported before everything here, also before a gap
    /// that stands first: between the two there is no message, and the order within such a stretch says nothing.
    private mutating func dropOldest() -> Bool {
        guard let (range, nameSize) = takeOldest() else { return false }
        count -= 1
        byteCount -= range.count + nameSize
        dropped += 1
        droppedBefore += 1
        return true
    }

    private mutating func takeOldest() -> (range: Range<Int>, nameSize: Int)? {
        if var run = opened {
            let range = run.advance()
            opened = run.left > 0 ? run : nil
            return (range, Int(run.nameSize))
        }
        if let taken = queue.dropOldest() { return taken }
        for index in openGaps.indices {
            if let taken = openGaps[index].held.dropOldest() { return taken }
        }
        return nil
    }
}
