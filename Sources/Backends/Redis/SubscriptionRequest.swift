import BroadcasterWire

/// A subscription command that the client has sent, with the confirmations still due.
///
/// Redis confirms each name by itself, in the order of the command. The client compares names instead of counting
/// them (hiredis #1014): the answer to another command must never pass for this one's.
struct SubscriptionRequest: Sendable {
    let verb: SubscriptionVerb
    private let all: [Topic]
    private var confirmed = 0

    init(verb: SubscriptionVerb, topics: [Topic]) {
        self.verb = verb
        all = topics
    }

    var isComplete: Bool { confirmed == all.count }

    /// The topics not confirmed yet.
    var topics: ArraySlice<Topic> { all[confirmed...] }

    /// Takes the confirmation of `name`, if it is the one that is due.
    mutating func confirm(_ name: [UInt8]) -> Topic? {
        guard !isComplete, case let topic = all[confirmed],
            topic.name.isNamed(name.span)
        else { return nil }
        confirmed += 1
        return topic
    }
}
