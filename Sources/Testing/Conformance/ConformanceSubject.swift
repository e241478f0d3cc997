public import Broadcaster

/// The backend that conformance checks are made on: how to make a `Broadcast` of it, and what is to be known of it.
public struct ConformanceSubject: Sendable {
    /// The port of 127.0.0.1 on which the server listens; nil for a backend without a server.
    public let serverPort: UInt16?
    /// Makes a `Broadcast`, not connected, with the server on this port.
    let make: @Sendable (UInt16, BroadcastOptions) throws -> Broadcast
    /// The longest time that a call may take on a busy machine. Default 50 s.
    public var patience: Duration = .seconds(50)
    /// The password in the URL that `make` uses, which must not be shown; nil if it has none.
    public var secret: String?
    /// A pattern that matches the channels that begin with a text, in the server's own words; nil if it has no patterns.
    public var pattern: (@Sendable (_ beginning: String) -> String)?

    /// A backend with a server.
    ///
    /// - Parameters:
    ///   - serverPort: its port on 127.0.0.1.
    ///   - make: makes a `Broadcast`, not connected, whose server is on the given port: the server's, or that of a
    ///     ``FaultyProxy`` before it.
    public init(
        serverPort: UInt16, make: @escaping @Sendable (UInt16, BroadcastOptions) throws -> Broadcast
    ) {
        self.serverPort = serverPort
        self.make = make
    }

    /// A backend that lives in the process.
    ///
    /// - Parameter make: makes a `Broadcast`, not connected.
    public init(make: @escaping @Sendable (BroadcastOptions) throws -> Broadcast) {
        serverPort = nil
        self.make = { try make($1) }
    }
}
