import BroadcasterWire

/// The readings from streams that are not answered yet: those that wait for a node, by their slots, and those on their way.
struct ShardReads: Sendable {
    private struct Read: Sendable {
        let request: HistoryRequest
        let slot: Int
        /// The moment at which it is refused for now: the core asks again, or tells who has asked.
        let due: Instant
    }

    private var reads: [UInt64: Read] = [:]
    private var waiting: [Int: [UInt64]] = [:]

    /// The time for subscribers, who read again by themselves: the core has only so many readings under way, and others must
    /// not wait for these. Longer than the pause after a node that has said "later".
    private static let patience: Duration = .milliseconds(250)
    /// The time for a call of its own: a failover takes some seconds.
    private static let patienceOfCalls: Duration = .seconds(5)

    var hasWaiting: Bool { !waiting.isEmpty }
    var waitingSlots: [Int] { waiting.keys.sorted() }

    mutating func add(_ request: HistoryRequest, at now: Instant) {
        let isCall = request.channel.id < 0
        let slot = HashSlot.of(request.channel.name.bytes)
        let patience = isCall ? ShardReads.patienceOfCalls : ShardReads.patience
        reads[request.ticket] = Read(request: request, slot: slot, due: now + patience)
        waiting[slot, default: []].append(request.ticket)
    }

    /// Takes all that waits for a slot, to be asked for.
    mutating func take(_ slot: Int) -> [HistoryRequest] {
        (waiting.removeValue(forKey: slot) ?? []).compactMap { reads[$0]?.request }
    }

    func slot(of ticket: UInt64) -> Int? { reads[ticket]?.slot }

    mutating func answered(_ ticket: UInt64) {
        reads[ticket] = nil
    }

    /// No answer will come: it is to be asked for again.
    mutating func returned(_ ticket: UInt64) {
        guard let slot = reads[ticket]?.slot else { return }
        waiting[slot, default: []].append(ticket)
    }

    /// Takes out those that have waited for too long.
    mutating func expire(at now: Instant) -> [UInt64] {
        var late: [UInt64] = []
        for (slot, tickets) in waiting {
            let gone = tickets.filter { reads[$0].map { now >= $0.due } ?? true }
            if gone.isEmpty { continue }
            for ticket in gone { reads[ticket] = nil }
            let left = tickets.filter { reads[$0] != nil }
            waiting[slot] = left.isEmpty ? nil : left
            late += gone
        }
        return late.sorted()
    }
}
