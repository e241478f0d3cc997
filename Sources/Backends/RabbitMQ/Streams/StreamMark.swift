/// A mark at the end of a channel's stream, by which the session that has written it knows where the end is.
struct StreamMark: Hashable, Sendable {
    let channel: String
    let session: String
    /// Those of one session go up.
    let number: UInt64

    var name: String { "\(session)-\(number)" }

    /// The number of the mark of this name; nil for another session's.
    static func number(of name: String, session: String) -> UInt64? {
        guard name.hasPrefix(session + "-") else { return nil }
        return UInt64(name.dropFirst(session.count + 1))
    }
}
