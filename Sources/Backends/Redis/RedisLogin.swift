import BroadcasterWire

/// The user and password of a connection, where it logs in at all.
struct RedisLogin: Hashable, Sendable {
    private let user: String?
    private let password: String

    /// Returns nil where the URL has no login. (A user with an empty password is `nopass` in an ACL.)
    init?(_ url: RedisURL) {
        guard let password = url.password else { return nil }
        user = url.user
        self.password = password
    }

    /// Returns nil where there is neither.
    init?(user: String?, password: String?) {
        if user == nil, password == nil { return nil }
        self.user = user
        self.password = password ?? ""
    }

    /// The words to add to HELLO.
    var greeting: [String] { ["AUTH", user ?? "default", password] }

    /// The command of RESP2. Before Redis 6 there were no users.
    var command: [String] { ["AUTH"] + [user, password].compactMap { $0 } }
}
