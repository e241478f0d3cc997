/// A line of the publisher's log. Times are microseconds of a clock that publisher and subscriber share.
package enum PublishedLine: Hashable, Sendable {
    /// The server acknowledged it. Lines stand in the order in which the numbers were sent.
    case accepted(channel: Substring, number: Int, sentAt: Int)
    /// It may have been sent, and no acknowledgement came: it may be delivered or not.
    case unknown(channel: Substring, number: Int, sentAt: Int)
    /// Sent when all was quiet: each subscriber still there at the end must have received it.
    case final(channel: Substring, number: Int)

    package init?(_ line: Substring) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        let numbers = words.dropFirst(2).map { Int($0) }
        switch (words[0], numbers.count) {
        case ("accepted", 2):
            guard let number = numbers[0], let moment = numbers[1] else { return nil }
            self = .accepted(channel: words[1], number: number, sentAt: moment)
        case ("unknown", 2):
            guard let number = numbers[0], let moment = numbers[1] else { return nil }
            self = .unknown(channel: words[1], number: number, sentAt: moment)
        case ("final", 1):
            guard let number = numbers[0] else { return nil }
            self = .final(channel: words[1], number: number)
        default: return nil
        }
    }

    package var text: String {
        switch self {
        case .accepted(let channel, let number, let moment):
            "accepted \(channel) \(number) \(moment)"
        case .unknown(let channel, let number, let moment): "unknown \(channel) \(number) \(moment)"
        case .final(let channel, let number): "final \(channel) \(number)"
        }
    }
}

/// A line of a subscriber's log.
package enum SubscriberLine: Hashable, Sendable {
    /// The server had confirmed these channels at this time. After `left` it begins another visit.
    case subscribed(at: Int, channels: [Substring])
    case message(channel: Substring, number: Int)
    /// `lost` is written `-` if it is not known. The time is the one at which the gap was taken.
    case gap(reason: Substring, lost: Int?, at: Int)
    /// The subscriber left while messages were coming: later messages are not promised.
    case left
    /// The end: no more messages were coming.
    case end

    package init?(_ line: Substring) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        switch (words[0], words.count) {
        case ("message", 3):
            guard let number = Int(words[2]) else { return nil }
            self = .message(channel: words[1], number: number)
        case ("gap", 4):
            guard let moment = Int(words[3]), words[2] == "-" || Int(words[2]) != nil else {
                return nil
            }
            self = .gap(reason: words[1], lost: Int(words[2]), at: moment)
        case ("subscribed", 3...):
            guard let moment = Int(words[1]) else { return nil }
            self = .subscribed(at: moment, channels: Array(words[2...]))
        case ("left", 1): self = .left
        case ("end", 1): self = .end
        default: return nil
        }
    }

    package var text: String {
        switch self {
        case .subscribed(let moment, let channels):
            "subscribed \(moment) \(channels.joined(separator: " "))"
        case .message(let channel, let number): "message \(channel) \(number)"
        case .gap(let reason, let lost, let moment):
            "gap \(reason) \(lost.map { "\($0)" } ?? "-") \(moment)"
        case .left: "left"
        case .end: "end"
        }
    }
}
