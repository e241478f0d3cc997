import BroadcasterWire

/// A message on its way to the node of its slot.
struct ShardPublication: Sendable {
    let publication: Publication
    let slot: Int
    /// The nodes that have sent it elsewhere, in a row.
    var hops = 0
}

/// The messages that wait for a node, by their slots, and the slots that are being redirected.
///
/// A node that answers MOVED has not published the message, so it is sent again. What the slot's channels publish after it
/// waits until all that is on its way there is answered: it must not arrive first.
struct ShardPublishing: Sendable {
    private struct Slot {
        /// Sent and not answered.
        var onWay = 0
        /// Some of them have been sent elsewhere.
        var isRedirected = false
        /// What came back, in the order of sending.
        var returned: [ShardPublication] = []
        var waiting: [ShardPublication] = []

        var isIdle: Bool { onWay == 0 && returned.isEmpty && waiting.isEmpty }
    }

    private var slots: [Int: Slot] = [:]
    private(set) var waitingCount = 0
    private var waitingBytes = 0
    private var waitingSlots: Set<Int> = []

    private static let mostWaiting = 10_000
    private static let mostBytes = 16 << 20
    /// A chain of redirections that is longer is a loop.
    static let mostHops = 5

    var hasWaiting: Bool { !waitingSlots.isEmpty }

    /// Too much waits: what comes after it stays in the core.
    var isFull: Bool {
        waitingCount >= ShardPublishing.mostWaiting || waitingBytes >= ShardPublishing.mostBytes
    }

    /// The slots of which something may be sent now.
    var sendableSlots: [Int] {
        waitingSlots.filter { slots[$0].map { !$0.isRedirected || $0.onWay == 0 } ?? false }
            .sorted()
    }

    mutating func add(_ publication: Publication) {
        let slot = HashSlot.of(Array(publication.channel.utf8))
        slots[slot, default: Slot()].waiting.append(
            ShardPublication(publication: publication, slot: slot))
        wait(publication, slot)
    }

    private mutating func wait(_ publication: Publication, _ slot: Int) {
        waitingCount += 1
        waitingBytes += publication.payload.byteCount
        waitingSlots.insert(slot)
    }

    /// Takes all that waits for a slot, to be sent.
    mutating func take(_ slot: Int) -> [ShardPublication] {
        guard var state = slots[slot] else { return [] }
        let all = state.returned + state.waiting
        state.onWay += all.count
        (state.returned, state.waiting, state.isRedirected) = ([], [], false)
        slots[slot] = state
        removed(all, from: slot)
        return all
    }

    private mutating func removed(_ publications: [ShardPublication], from slot: Int) {
        waitingCount -= publications.count
        for one in publications { waitingBytes -= one.publication.payload.byteCount }
        guard let state = slots[slot] else { return }
        if state.returned.isEmpty, state.waiting.isEmpty { waitingSlots.remove(slot) }
        if state.isIdle { slots[slot] = nil }
    }

    /// A message has been answered, or its answer will not come.
    mutating func answered(_ slot: Int) {
        guard var state = slots[slot] else { return }
        state.onWay -= 1
        slots[slot] = state.isIdle ? nil : state
    }

    /// A message was not published, and is to be sent again. False after too many redirections.
    mutating func returned(_ publication: ShardPublication, isRedirected: Bool) -> Bool {
        var publication = publication
        if isRedirected { publication.hops += 1 }
        guard publication.hops <= ShardPublishing.mostHops else {
            answered(publication.slot)
            return false
        }
        slots[publication.slot]?.onWay -= 1
        slots[publication.slot]?.isRedirected = true
        slots[publication.slot]?.returned.append(publication)
        wait(publication.publication, publication.slot)
        return true
    }

    /// Takes out the messages whose publishers have left.
    mutating func expire(at now: Instant) -> [Publication] {
        var late: [Publication] = []
        for slot in waitingSlots {
            guard var state = slots[slot] else { continue }
            let isLate = { (one: ShardPublication) in
                one.publication.deadline.map { now >= $0 } ?? false
            }
            let gone = state.returned.filter(isLate) + state.waiting.filter(isLate)
            if gone.isEmpty { continue }
            state.returned.removeAll(where: isLate)
            state.waiting.removeAll(where: isLate)
            slots[slot] = state
            removed(gone, from: slot)
            late += gone.map(\.publication)
        }
        return late.sorted { $0.ticket < $1.ticket }
    }
}
