/// The server's answer to a message that it has accepted.
public struct Receipt: Hashable, Sendable {
    /// The number of clients that received it; nil if the server does not say.
    public let receivers: Int?
    /// Apart, so that the receipts of messages without a position are small.
    private let place: Place?

    private final class Place: Hashable, Sendable {
        let position: Position

        init(_ position: Position) {
            self.position = position
        }

        static func == (one: Place, other: Place) -> Bool { one.position == other.position }

        func hash(into hasher: inout Hasher) {
            hasher.combine(position)
        }
    }

    /// An answer; nil where the server does not say.
    public init(receivers: Int? = nil, position: Position? = nil) {
        self.receivers = receivers
        place = position.map { Place($0) }
    }

    /// The message's position, where the server keeps a history.
    public var position: Position? { place?.position }
}

/// The server's answers to messages published one after the other.
public struct Acceptance: Sendable, Hashable {
    /// The ticket of the first; the others' follow on.
    public let firstTicket: UInt64
    /// Stored beside the others, so that a single answer needs no array.
    private let first: Receipt
    private var others: [Receipt] = []

    /// The answer to one message.
    public init(ticket: UInt64, _ receipt: Receipt) {
        firstTicket = ticket
        first = receipt
    }

    /// The number of messages that are answered.
    public var count: Int { others.count + 1 }

    /// The answer to the message whose ticket is `firstTicket` + `offset`.
    public subscript(offset: Int) -> Receipt { offset == 0 ? first : others[offset - 1] }

    /// Adds an answer. Returns false unless it is the next one.
    mutating func add(ticket: UInt64, _ receipt: Receipt) -> Bool {
        guard ticket == firstTicket + UInt64(count) else { return false }
        others.append(receipt)
        return true
    }
}
