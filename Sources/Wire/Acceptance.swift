/// What the server said of messages that were published one after the other: how many received each.
package struct Acceptance: Sendable, Hashable {
    /// The ticket of the first; the others' follow on.
    package let firstTicket: UInt64
    /// Beside the others, so that one that comes alone needs no array.
    private let first: Int?
    private var others: [Int?] = []

    /// - Parameter receivers: nil where the server does not say.
    package init(ticket: UInt64, receivers: Int?) {
        firstTicket = ticket
        first = receivers
    }

    package var count: Int { others.count + 1 }

    package subscript(offset: Int) -> Int? { offset == 0 ? first : others[offset - 1] }

    /// Adds the next one, if that is what it is.
    mutating func add(ticket: UInt64, receivers: Int?) -> Bool {
        guard ticket == firstTicket + UInt64(count) else { return false }
        others.append(receivers)
        return true
    }
}
