import BroadcasterWire

/// The slots for which no node is asked for a moment: a node said "later", or nodes send each other's clients in a circle.
struct SlotPauses: Sendable {
    private var slots: [Int: (redirections: Int, until: Instant?)] = [:]

    private static let pause: Duration = .milliseconds(100)
    /// A slot that moves leads from one node to another; more in a row wait for the nodes to agree.
    private static let mostAtOnce = 2

    mutating func redirected(_ slot: Int, at now: Instant) {
        let count = (slots[slot]?.redirections ?? 0) + 1
        slots[slot] = (count, count > SlotPauses.mostAtOnce ? now + SlotPauses.pause : nil)
    }

    mutating func failed(_ slot: Int, at now: Instant) {
        slots[slot] = (slots[slot]?.redirections ?? 0, now + SlotPauses.pause)
    }

    mutating func succeeded(_ slot: Int) {
        if !slots.isEmpty { slots[slot] = nil }
    }

    func isPaused(_ slot: Int, at now: Instant) -> Bool {
        slots[slot]?.until.map { now < $0 } ?? false
    }
}
