import BroadcasterBackendKit

/// The contents of a `nats://` URL.
struct NATSURL: Sendable {
    let endpoints: [Endpoint]
    let user: String?
    /// Without a user, the user's name is a token (`authorization { token: … }`).
    private(set) var password: String?
    let name: String?

    init(_ url: ServerURL) throws(ServerURLError) {
        guard !url.hosts.isEmpty, url.hosts.allSatisfy({ !$0.name.isEmpty }) else {
            throw ServerURLError(
                "the URL has no host: expected something like nats://localhost:4222")
        }
        guard url.path.isEmpty || url.path == "/" else {
            throw ServerURLError("a nats URL has no path: found \(url.show(url.path))")
        }
        endpoints = url.hosts.map { .tcp(host: $0.name, port: $0.port ?? 4222) }
        user = url.user
        password = url.password
        var options = url.options
        name = try options.take("name")
        try options.finish(scheme: url.scheme)
    }

    /// The same with a password that was looked up, where one was.
    func using(password found: String?) -> NATSURL {
        var url = self
        url.password = found ?? password
        return url
    }
}
