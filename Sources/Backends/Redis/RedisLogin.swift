import BroadcasterWire

/// The user and password of a connection, where it logs in at all.
struct RedisLogin: Hashable, Sendable {
    private let user: String?
    private let password: String

    /// Returns nil where there is no login: an empty password without a user is a template that was filled with nothing.
    /// (A user with an empty one is `nopass` in an ACL.)
    init?(_ url: RedisURL) {
        guard let password = url.password, url.user != nil || !password.isEmpty else { return nil }
        user = url.user
        self.password = password
    }

    /// The words to add to HELLO.
    var greeting: [String] { ["AUTH", user ?? "default", password] }

    /// The command of RESP2. Before Redis 6 there were no users.
    var command: [String] { ["AUTH"] + [user, password].compactMap { $0 } }
}
