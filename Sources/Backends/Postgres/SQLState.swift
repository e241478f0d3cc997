import BroadcasterWire

/// The meaning of an error code for a client: who would have to do what before it goes away.
///
/// By the classes of "PostgreSQL Error Codes" (Appendix A of the documentation of 18), with the codes that stand out of
/// their class.
enum SQLState {
    static func kind(of code: String, saying text: String) -> Rejection.Kind {
        switch code {
        // What comes without a code comes before the protocol, and says nothing of the next attempt.
        case "": .temporary
        case "08P01": kindOfViolation(saying: text)
        // The server is a standby, or read-only.
        case "25006": .unsuitable
        case "42501": .permission
        // The connection's state, of which a new one has none: a statement of this name is there already.
        case "42P03", "42P05": .temporary
        // The queue of NOTIFY is full; the others of the class are about one statement.
        case "54000": .temporary
        // Somebody else has it at the moment; the others of the class are about the object itself.
        case "55006", "55P03": .temporary
        // The database was dropped: it does not come back by itself.
        case "57P04": .permanent
        // Damaged data do not heal; an internal error may have been one of the moment.
        case "XX001", "XX002": .permanent
        default: kind(ofClass: String(code.prefix(2)))
        }
    }

    private static func kind(ofClass name: String) -> Rejection.Kind {
        switch name {
        // Invalid authorization.
        case "28": .authentication
        // Connection; the state of a transaction, of a cursor, of a prepared statement, of a savepoint: a new
        // connection has none of these.
        case "08", "0B", "24", "25", "26", "2D", "3B": .temporary
        // Rolled back; no resources; an operator's intervention; the system around the server; a snapshot too old; an
        // internal error.
        case "40", "53", "57", "58", "72", "XX": .temporary
        default: .permanent
        }
    }

    /// Poolers and look-alikes say 08P01 of all that is wrong with a login (PgBouncer 1.18 to 1.25, objects.c and
    /// client.c; CockroachDB 25): what does not say that it will pass does not.
    private static func kindOfViolation(saying text: String) -> Rejection.Kind {
        let text = text.lowercased()
        let refusals = ["authentication failed", "auth failed", "no such user"]
        if refusals.contains(where: text.containsBytes) {
            return .authentication
        }
        if text.containsBytes("does not exist") { return .permanent }
        return passing.contains(where: text.containsBytes) ? .temporary : .permanent
    }

    private static let passing = [
        "try again", "timeout", "timed out", "too many", "no more connections", "shutting down",
        "shut down", "starting up", "conn crashed", "connection closed", "closed the connection",
        "disconnect", "has been failing", "server login failed", "cannot connect", "connect failed",
        "lookup failed", "out of memory", "not enough memory", "no memory", "configuration changed",
        "config changed", "server down", "kill", "paused", "suspended", "temporar",
    ]

    /// True if the server's error on LISTEN is about the channel: the right to it, its name, or LISTEN itself. All else
    /// says nothing of what the next connection brings.
    static func refusesChannel(_ code: String) -> Bool {
        ["0A", "22", "42"].contains(code.prefix(2))
            && kind(of: code, saying: "") != .temporary
    }
}
