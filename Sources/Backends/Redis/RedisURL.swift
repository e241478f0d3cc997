package import BroadcasterWire

/// The contents of a `redis://`, `rediss://`, `valkey://`, `valkeys://`, `redis+unix://` or `unix://` URL.
///
/// Beside our own option names it takes those of redis-py's `from_url` and lettuce's URIs where they
/// mean the same, so that a URL in use elsewhere can be used here. What is said twice has to agree: clients differ in
/// which of the two they take.
package struct RedisURL: Sendable {
    package enum Dialect: Hashable, Sendable {
        case resp2
        /// Falls back to RESP2 where the server knows no better.
        case resp3
    }

    package let endpoint: Endpoint
    /// nil is the user `default`.
    package let user: String?
    /// The password of the login; nil: no login. Empty for a user without a password (`nopass` in an ACL), as redis-py
    /// sends it.
    package private(set) var password: String?
    package let database: Int
    package let clientName: String?
    package let dialect: Dialect
    /// nil: no TLS.
    package let security: TLSOptions?
    /// What the server is among others.
    private(set) var place = RedisPlace.alone

    package static let schemes =
        ["redis", "valkey"] + secureSchemes + ["redis+unix", "unix", "redis-socket"]
    private static let secureSchemes = ["rediss", "valkeys"]
    private static let defaultPort: UInt16 = 6379

    package init(_ url: ServerURL) throws(ServerURLError) {
        let isSecure = RedisURL.secureSchemes.contains(url.scheme)
        let isUnix = !isSecure && !["redis", "valkey"].contains(url.scheme)
        try self.init(
            url, at: isUnix ? try RedisURL.socket(url) : try RedisURL.host(url),
            isSecure: isSecure, database: isUnix ? nil : try RedisURL.database(url))
    }

    /// All but the server and the path, which other kinds of URL have otherwise.
    ///
    /// - Parameter path: the database in the path; nil where there is none.
    init(
        _ url: ServerURL, at endpoint: Endpoint, isSecure: Bool, database path: Int?
    ) throws(ServerURLError) {
        var options = url.options
        self.endpoint = endpoint
        user = try RedisURL.given(
            options.take(
                "username", beside: RedisURL.given(url.user).map { ("the user before the @", $0) }))
        let password = try RedisURL.given(
            options.take(
                "password",
                beside: RedisURL.given(url.password).map { ("the password before the @", $0) }))
        self.password = password ?? user.map { _ in "" }
        database =
            try options.takeInteger(
                "database", aliases: ["db"], in: 0...Int(Int32.max),
                beside: path.map { ("the database in the path", $0) }) ?? 0
        clientName = try options.take("client_name", aliases: ["clientName"])
        let version = try options.takeInteger("protocol", in: 2...3)
        dialect = version == 2 ? .resp2 : .resp3
        security = isSecure ? try TLSOptions(from: &options) : nil
        if !isSecure { try TLSOptions.refuse(in: &options, scheme: "rediss") }
        try RedisURL.checkForeign(&options, isSecure: isSecure)
        try options.finish(scheme: url.scheme)
        try check()
    }

    /// The same with a password that was looked up, where one was.
    func using(password found: String?) -> RedisURL {
        var url = self
        url.password = found ?? password
        return url
    }

    /// The server is a node of a cluster.
    var isOfCluster: Bool {
        if case .node = place { true } else { false }
    }

    /// The same for a server that has its place among others.
    func at(_ place: RedisPlace) -> RedisURL {
        var url = self
        url.place = place
        return url
    }

    /// A template that is filled with nothing gives nothing.
    private static func given(_ text: String?) -> String? {
        text?.isEmpty == true ? nil : text
    }

    private static func socket(_ url: ServerURL) throws(ServerURLError) -> Endpoint {
        guard url.hosts.isEmpty, !url.path.isEmpty, url.path != "/" else {
            throw ServerURLError(
                "a \(url.scheme) URL names a socket by its absolute path:"
                    + " \(url.scheme):///run/redis/redis.sock")
        }
        return .unix(path: url.path)
    }

    private static func host(_ url: ServerURL) throws(ServerURLError) -> Endpoint {
        guard url.hosts.count <= 1 else { throw ServerURLError("a \(url.scheme) URL has one host") }
        guard let host = url.hosts.first, !host.name.isEmpty else {
            throw ServerURLError(
                "the URL has no host: expected something like \(url.scheme)://localhost:6379")
        }
        return .tcp(host: host.name, port: host.port ?? defaultPort)
    }

    /// The hosts of a URL that may have several; at least one.
    static func hosts(_ url: ServerURL, defaultPort: UInt16) throws(ServerURLError) -> [Endpoint] {
        guard !url.hosts.isEmpty, url.hosts.allSatisfy({ !$0.name.isEmpty }) else {
            throw ServerURLError(
                "a host is missing: expected something like \(url.scheme)://one:\(defaultPort),two")
        }
        return url.hosts.map { .tcp(host: $0.name, port: $0.port ?? defaultPort) }
    }

    /// The database in the path, with or without a `/` after it; nil where there is none.
    private static func database(_ url: ServerURL) throws(ServerURLError) -> Int? {
        var path = url.path[...]
        while path.last == "/" { path.removeLast() }
        if path.isEmpty { return nil }
        guard let number = URLOptions.integer(path), number <= Int32.max else {
            throw ServerURLError(
                "the database in the path is not a number: \(url.show(url.path));"
                    + " write \(url.scheme)://host:port/0")
        }
        return number
    }

    /// Before a login Redis takes at most 16,384 bytes an argument (networking.c, 7.0); a client's name
    /// has no blanks or control characters (CLIENT SETNAME).
    private func check() throws(ServerURLError) {
        for (part, text) in [("user name", user), ("password", password)] {
            guard (text?.utf8.count ?? 0) <= 4096 else {
                throw ServerURLError("the \(part) is longer than 4,096 bytes")
            }
        }
        guard let clientName else { return }
        let isPlain = clientName.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        guard isPlain, (1...256).contains(clientName.utf8.count) else {
            throw ServerURLError(
                "client_name takes 1 to 256 printable ASCII characters without blanks")
        }
    }
}

// MARK: Options of other clients

extension RedisURL {
    /// The options of redis-py (5.2, the arguments of `ConnectionPool`, `Connection` and `SSLConnection`) and lettuce
    /// (6.5, `RedisURI`) that have nothing to set here.
    package static let foreignOptions: [ForeignOption] =
        [
            // One connection is shared by all; text is what `message.text` gives, bytes are always there.
            ForeignOption("max_connections", nil, .integer),
            ForeignOption("decode_responses", nil, .boolean),
            ForeignOption("socket_read_size", nil, .integer),
            // Sent or not, each connection is watched by `ping` and by the kernel's own keepalive.
            ForeignOption("socket_keepalive", nil, .boolean),
            // Connecting is always tried again, publishing only where the caller says so.
            ForeignOption("retry_on_timeout", nil, .boolean),
            ForeignOption(
                "retry_on_error", nil,
                .none("is not there: publish(…, retry: .atLeastOnce) sends a message again")),
            ForeignOption("encoding", nil, .matching(expected: "utf-8", isUTF8)),
            ForeignOption("encoding_errors", nil, .any),
            ForeignOption("lib_name", nil, .any), ForeignOption("lib_version", nil, .any),
            ForeignOption("libraryName", nil, .any), ForeignOption("libraryVersion", nil, .any),
            ForeignOption(
                "verifyPeer", nil, .none("is not there: see ssl_cert_reqs and ssl_check_hostname")),
        ]

    /// redis-py's word for a connection with TLS, beside the scheme.
    private static func encryption(isSecure: Bool) -> ForeignOption {
        ForeignOption(
            "ssl", nil,
            .matching(
                expected: isSecure ? "true in a rediss URL" : "false (rediss:// asks for TLS)"
            ) { ForeignOption.truth($0) == isSecure })
    }

    @Sendable private static func isUTF8(_ name: String) -> Bool {
        ["utf-8", "utf8", "utf_8"].contains(name.lowercased())
    }

    private static func checkForeign(
        _ options: inout URLOptions, isSecure: Bool
    ) throws(ServerURLError) {
        let shown = options
        for option in foreignOptions + [encryption(isSecure: isSecure)] {
            guard let text = try options.take(option.name, isListed: false) else { continue }
            try option.check(text, as: "the option \(option.name)", show: shown.show)
        }
    }
}
