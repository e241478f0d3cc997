import BroadcasterWire

/// The messages that the server has not confirmed, in the order of their delivery tags. A pure value of one channel: its
/// tags begin with 1.
///
/// Confirms may come in any order, one for each or one for all up to it. A message that comes back for want of a queue
/// does so before its confirm, and names no tag: it is known by the message-id that it was given.
struct ConfirmLedger: Sendable {
    private struct Entry: Sendable {
        /// nil for one that was told to be lost, or that nobody waits for.
        var ticket: UInt64?
        /// The server has found no queue for it.
        var isReturned = false
        var isSettled = false
    }

    private var entries = Queue<Entry>()
    private var firstTag: UInt64 = 1
    /// False as long as the server has confirmed nothing.
    private(set) var hasConfirmed = false

    /// The tag of the next message.
    var nextTag: UInt64 { firstTag + UInt64(entries.count) }

    /// - Parameter ticket: nil for a message whose confirm nobody waits for.
    mutating func append(ticket: UInt64?) {
        entries.append(Entry(ticket: ticket))
    }

    /// Notes that a message has come back, by its message-id.
    mutating func returned(_ messageID: [UInt8]?) throws(ProtocolError) {
        let text = messageID.map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard let tag = UInt64(text), let place = place(of: tag),
            entries[place]?.isSettled == false
        else {
            throw ProtocolError(
                reading: "basic.return", expected: "a message that is not confirmed",
                found: "message-id \(URLOptions.show(text))")
        }
        entries[place]?.isReturned = true
    }

    /// Takes the tickets that a confirm settles. `receivers` of those that came back is 0, and else unknown.
    mutating func settle(
        _ tag: UInt64, multiple: Bool, _ body: (_ ticket: UInt64, _ receivers: Int?) -> Void
    ) throws(ProtocolError) {
        // 0 stands for all there are.
        let last = multiple && tag == 0 && !entries.isEmpty ? nextTag - 1 : tag
        guard let place = place(of: last), multiple || entries[place]?.isSettled == false else {
            throw ProtocolError(
                reading: "confirm", expected: expectation, found: "tag \(tag)")
        }
        hasConfirmed = true
        for other in (multiple ? 0 : place)...place { settle(at: other, body) }
        while entries.first?.isSettled == true { removeFirst() }
    }

    private mutating func settle(
        at place: Int, _ body: (_ ticket: UInt64, _ receivers: Int?) -> Void
    ) {
        guard let entry = entries[place], !entry.isSettled else { return }
        if let ticket = entry.ticket { body(ticket, entry.isReturned ? 0 : nil) }
        entries[place]?.isSettled = true
    }

    private var expectation: String {
        entries.isEmpty
            ? "none, nothing is unconfirmed" : "a tag from \(firstTag) to \(nextTag - 1)"
    }

    private mutating func removeFirst() {
        _ = entries.removeFirst()
        firstTag += 1
    }

    private func place(of tag: UInt64) -> Int? {
        tag >= firstTag && tag < nextTag ? Int(tag - firstTag) : nil
    }

    /// Takes the tickets of all that are not settled. They keep their places: a late confirm may still come.
    mutating func takeUnsettled() -> [UInt64] {
        (0..<entries.count).compactMap { place in
            guard entries[place]?.isSettled == false else { return nil }
            return entries[place]?.ticket.take()
        }
    }
}
