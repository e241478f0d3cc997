import BroadcasterWire

/// Refusals that the session pronounces itself.
extension Rejection {
    /// Another server of the list may be the primary.
    static let standby = Rejection(
        kind: .unsuitable,
        message: "the server is a standby (read-only): LISTEN and NOTIFY need the primary")

    /// Another connection may be better, and those that listened on one before wait for that.
    static let unheard = Rejection(
        kind: .unsuitable,
        message:
            "LISTEN was accepted, but a notification to ourselves did not come back: is a pooler in"
            + " transaction mode between? Connect to Postgres itself, or use session mode")

    /// The server counts the bytes of a name in its own encoding, and listens to a shorter one now.
    static func cutName(_ notice: ServerError) -> Rejection {
        Rejection(
            kind: .permanent,
            message: "the channel's name is too long in the server's encoding:"
                + " \(notice.rejection.message)")
    }
}
