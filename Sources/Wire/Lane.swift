/// One of the connections of a session, by a number that the session chooses.
///
/// A session has as many as it likes: one for each broker, say, or for each node of a cluster. Each backend names
/// its own; only `.main` is the same for all.
public struct Lane: Hashable, Sendable {
    /// The number.
    public let index: Int

    /// A lane by its number; 0 is `.main`.
    public init(index: Int) {
        self.index = index
    }

    /// The first connection, which the core opens by itself.
    public static let main = Lane(index: 0)
}

/// The server at the other end of a lane.
public struct PeerInfo: Hashable, Sendable {
    /// The address that the core has connected the lane to.
    public let endpoint: Endpoint
    /// The password that was looked up for this connection; nil where the session goes by what it knows.
    public let password: String?
    /// The lane's security; nil where what passes can be read.
    public var security: LaneSecurity?

    /// A peer, as the core or a test describes it.
    public init(endpoint: Endpoint, password: String? = nil, security: LaneSecurity? = nil) {
        self.endpoint = endpoint
        self.password = password
        self.security = security
    }
}

/// Why a lane is not there, or no more.
public enum LaneFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The lane could not be connected.
    case unreachable(String)
    /// The password for it could not be looked up.
    case passwordMissing(String)
    /// The lane was connected, and its server has ended it.
    case lost(String)
    /// The lane was connected, and the system has given it up: its server has long been silent.
    case silent(String)
    /// The lane could not be secured, or the peer refused its security. That does not heal by itself.
    case insecure(String)
    /// The lane is there, and this machine has no library to secure it with.
    case notSecurable(String)

    /// The failure in words, for a status or a log.
    public var description: String {
        switch self {
        case .unreachable(let text), .passwordMissing(let text), .lost(let text), .silent(let text),
            .insecure(let text), .notSecurable(let text):
            text
        }
    }
}

/// The session's answer to the loss of one of its lanes.
public enum LaneLoss: Hashable, Sendable {
    /// The session goes on; it has said which topics and messages it lost with the lane.
    case survived
    /// The session cannot go on without the lane. All its topics and messages are lost with it.
    case ended
}
