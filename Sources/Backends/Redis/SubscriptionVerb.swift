/// SUBSCRIBE, UNSUBSCRIBE, PSUBSCRIBE or PUNSUBSCRIBE.
struct SubscriptionVerb: Hashable, Sendable {
    let isPattern: Bool
    let isSubscribing: Bool

    init(isPattern: Bool, isSubscribing: Bool) {
        self.isPattern = isPattern
        self.isSubscribing = isSubscribing
    }

    init?(confirmation: String) {
        switch confirmation {
        case "subscribe": self.init(isPattern: false, isSubscribing: true)
        case "unsubscribe": self.init(isPattern: false, isSubscribing: false)
        case "psubscribe": self.init(isPattern: true, isSubscribing: true)
        case "punsubscribe": self.init(isPattern: true, isSubscribing: false)
        default: return nil
        }
    }

    var confirmation: String {
        (isPattern ? "p" : "") + (isSubscribing ? "subscribe" : "unsubscribe")
    }

    var command: String { confirmation.uppercased() }
}
