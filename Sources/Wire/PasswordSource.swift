/// Looks up the password for a new connection to a server: in a file that may have changed, or by asking the program.
///
/// The core calls it before each connection on which a session logs in, outside of the event loop, so it may take its
/// time. nil: there is none to be had here, and the session goes by what its URL says.
public typealias PasswordSource = @Sendable (Endpoint) async throws -> String?
