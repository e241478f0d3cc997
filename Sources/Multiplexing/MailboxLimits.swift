/// The room of a subscriber's mailbox, and the policy for more than that.
package struct MailboxLimits: Hashable, Sendable {
    package enum Overflow: Hashable, Sendable {
        case dropOldest
        case dropNewest
        case fail
        /// What there is no room for is read again from the channel's history. Where there is none, as `dropOldest`.
        case refill
    }

    package var messages: Int
    package var bytes: Int
    package var overflow: Overflow

    package init(messages: Int, bytes: Int, overflow: Overflow) {
        self.messages = messages
        self.bytes = bytes
        self.overflow = overflow
    }
}
