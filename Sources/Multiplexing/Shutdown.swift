import BroadcasterWire

/// The steps of an orderly end: messages under way are answered, then the session says goodbye. A pure value.
enum Shutdown: Hashable, Sendable {
    /// Leads to: finishing, over.
    case notBegun
    /// Messages wait for their answers. Leads to: leaving, over.
    case finishing(deadline: Instant)
    /// The session has said goodbye, and the server answers by closing. Leads to: over.
    case leaving(deadline: Instant)
    case over

    var deadline: Instant? {
        switch self {
        case .finishing(let deadline), .leaving(let deadline): deadline
        case .notBegun, .over: nil
        }
    }

    var hasBegun: Bool { self != .notBegun }

    /// True where nothing more is sent.
    var hasSaidGoodbye: Bool {
        switch self {
        case .leaving, .over: true
        case .notBegun, .finishing: false
        }
    }

    mutating func begin(deadline: Instant) {
        if self == .notBegun { self = .finishing(deadline: deadline) }
    }

    /// True if the session is to say goodbye now.
    ///
    /// - Parameter isIdle: whether no message is under way.
    mutating func advance(isIdle: Bool) -> Bool {
        guard case .finishing(let deadline) = self, isIdle else { return false }
        self = .leaving(deadline: deadline)
        return true
    }
}
