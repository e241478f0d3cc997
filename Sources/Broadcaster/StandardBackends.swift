internal import BroadcasterMemory
internal import BroadcasterPostgres
internal import BroadcasterRedis
internal import BroadcasterSockets
internal import BroadcasterWire

/// Which URL leads to which backend. A new backend is a line here.
enum StandardBackends {
    /// What `memory://` leads to.
    static let memory: any Backend = MemoryBackend(maximumMessageSize: messageSize)

    private typealias Maker =
        @Sendable (ServerURL, CommonOptions, ServerEnvironment) throws(URLError) -> any Backend

    /// The longest message where nothing else is said.
    static let messageSize = 64 << 20

    private static let all:
        [(schemes: [String], messageSize: Int, timeoutVariable: String?, make: Maker)] = [
            (MemoryBackend.schemes, messageSize, nil, MemoryBackend.init),
            (RedisURL.schemes, messageSize, nil, RedisBackend.init),
            (PostgresURL.schemes, 16 << 20, "PGCONNECT_TIMEOUT", PostgresBackend.init),
        ]

    private static let environment = ServerEnvironment(
        variable: { SystemFiles.variable($0) },
        file: { path in
            SystemFiles.read(path).map {
                ServerEnvironment.File(text: $0.text, permissions: $0.permissions)
            }
        }, userName: SystemFiles.userName, order: { (0..<$0).shuffled() })

    /// The backend for a URL, and the options with what the URL says of them.
    static func backend(
        for text: String, options: BroadcastOptions
    ) throws(URLError) -> (any Backend, CommonOptions) {
        var url = try ServerURL(text)
        if let other = RedisURL.secureSchemes[url.scheme] {
            throw URLError(
                "\(url.scheme):// needs TLS, which is not there yet: use \(other):// on a network that"
                    + " you trust, or put stunnel between")
        }
        guard let maker = all.first(where: { $0.schemes.contains(url.scheme) }) else {
            let known = all.flatMap(\.schemes).map { "\($0)://" }.joined(separator: ", ")
            throw URLError("unknown scheme \(url.show(url.scheme)); known are \(known)")
        }
        var common = CommonOptions(
            connectTimeout: options.connectTimeout, publishTimeout: options.publishTimeout,
            pingInterval: options.pingInterval,
            maximumMessageSize: options.maximumMessageSize ?? maker.messageSize)
        // The one variable of a backend's that is the core's to heed.
        if let name = maker.timeoutVariable, let text = environment.variable(name) {
            guard let time = CommonOptions.connectTimeout(text) else {
                throw URLError("\(name) is not a time in seconds: \(URLOptions.show(text))")
            }
            common.connectTimeout = time
        }
        try common.take(from: &url.options)
        return (try maker.make(url, common, environment), common)
    }
}
