/// The server's answers to messages published one after the other: how many clients received each.
package struct Acceptance: Sendable, Hashable {
    /// The ticket of the first; the others' follow on.
    package let firstTicket: UInt64
    /// Stored beside the others, so that a single answer needs no array.
    private let first: Int?
    private var others: [Int?] = []

    /// - Parameter receivers: nil if the server does not say.
    package init(ticket: UInt64, receivers: Int?) {
        firstTicket = ticket
        first = receivers
    }

    package var count: Int { others.count + 1 }

    package subscript(offset: Int) -> Int? { offset == 0 ? first : others[offset - 1] }

    /// Adds an answer. Returns false unless it is the next one.
    mutating func add(ticket: UInt64, receivers: Int?) -> Bool {
        guard ticket == firstTicket + UInt64(count) else { return false }
        others.append(receivers)
        return true
    }
}
