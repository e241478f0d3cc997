import BroadcasterWire

/// A page, or the news of a gap, on its way to a subscriber's mailbox.
struct HandOut: Sendable {
    enum Content: Sendable {
        /// Of the channel's tail: the mailbox's policy decides what happens if there is no room.
        case live(MessageBlock)
        /// Of the subscriber's own reading: what has no room is read again later.
        case page(MessageBlock)
        case gap(HistoryPage.Verdict)
    }

    let subscriber: Int
    let topic: Int
    let mailbox: Mailbox
    let content: Content
    /// The subscriber's cursor before, and after all is taken.
    let from: Cursor
    let to: Cursor

    /// Gives it to the mailbox; outside of any lock of ours.
    func carryOut() -> Mailbox.Taken {
        switch content {
        case .live(let block): mailbox.take(block, isLive: true)
        case .page(let block): mailbox.take(block, isLive: false)
        case .gap(.trimmed(let lost)): mailbox.report(.trimmed(lost: lost), of: topic)
        case .gap(.reset): mailbox.report(.reset, of: topic)
        case .gap(.kept): .all
        }
    }
}
