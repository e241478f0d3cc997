package import BroadcasterWire

/// What a `redis://`, `redis+unix://` or `unix://` URL says.
///
/// Beside our own option names it takes those of redis-py's `from_url` and lettuce's URIs where they
/// mean the same, so that a URL in use elsewhere can be used here.
package struct RedisURL: Sendable {
    package enum Dialect: Hashable, Sendable {
        case resp2
        /// Falls back to RESP2 where the server knows no better.
        case resp3
    }

    package let endpoint: Endpoint
    /// nil is the user `default`.
    package let user: String?
    package let password: String?
    package let database: Int
    package let clientName: String?
    package let dialect: Dialect

    package static let schemes = ["redis", "redis+unix", "unix", "redis-socket"]
    private static let defaultPort: UInt16 = 6379

    package init(_ url: ServerURL) throws(URLError) {
        var options = url.options
        let isUnix = url.scheme != "redis"
        endpoint = isUnix ? try RedisURL.socket(url) : try RedisURL.host(url)
        user = [url.user, options.take("username")].compactMap { $0 }.first { !$0.isEmpty }
        let password = options.take("password")
        self.password = url.password ?? password
        let option = try options.takeInteger(
            "database", aliases: ["db"], in: 0...Int(Int32.max))
        let number = isUnix ? 0 : try RedisURL.database(url.path)
        database = option ?? number
        clientName = options.take("client_name", aliases: ["clientName"])
        let version = try options.takeInteger("protocol", in: 2...3)
        dialect = version == 2 ? .resp2 : .resp3
        try options.finish(scheme: url.scheme)
        try check()
    }

    private static func socket(_ url: ServerURL) throws(URLError) -> Endpoint {
        guard url.hosts.isEmpty, !url.path.isEmpty, url.path != "/" else {
            throw URLError(
                "a \(url.scheme) URL names a socket by its absolute path:"
                    + " \(url.scheme):///run/redis/redis.sock")
        }
        return .unix(path: url.path)
    }

    private static func host(_ url: ServerURL) throws(URLError) -> Endpoint {
        guard url.hosts.count <= 1 else { throw URLError("a redis URL has one host") }
        guard let host = url.hosts.first, !host.name.isEmpty else {
            throw URLError("the URL has no host: expected something like redis://localhost:6379")
        }
        return .tcp(host: host.name, port: host.port ?? defaultPort)
    }

    private static func database(_ path: String) throws(URLError) -> Int {
        if path.isEmpty { return 0 }
        guard let number = URLOptions.integer(path), number <= Int32.max else {
            throw URLError(
                "the database in the path is not a number: \(URLOptions.show(path));"
                    + " write redis://host:port/0")
        }
        return number
    }

    /// Before a login Redis takes at most 16,384 bytes an argument (networking.c, 7.0); a client's name
    /// has no blanks or control characters (CLIENT SETNAME).
    private func check() throws(URLError) {
        for (part, text) in [("user name", user), ("password", password)] {
            guard (text?.utf8.count ?? 0) <= 4096 else {
                throw URLError("the \(part) is longer than 4,096 bytes")
            }
        }
        if user != nil, password == nil {
            throw URLError("a user name without a password: write redis://user:password@host")
        }
        guard let clientName else { return }
        let isPlain = clientName.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        guard isPlain, (1...256).contains(clientName.utf8.count) else {
            throw URLError("client_name takes 1 to 256 printable ASCII characters without blanks")
        }
    }
}
