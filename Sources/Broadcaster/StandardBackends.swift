internal import BroadcasterMemory
internal import BroadcasterRedis
internal import BroadcasterWire

/// Which URL leads to which backend. A new backend is a line here.
enum StandardBackends {
    private typealias Maker = @Sendable (ServerURL, CommonOptions) throws(URLError) -> any Backend

    private static let all: [(schemes: [String], make: Maker)] = [
        (MemoryBackend.schemes, MemoryBackend.init),
        (RedisURL.schemes, RedisBackend.init),
    ]

    /// The backend for a URL, and the options with what the URL says of them.
    static func backend(
        for text: String, options: BroadcastOptions
    ) throws(URLError) -> (any Backend, CommonOptions) {
        var url = try ServerURL(text)
        if url.scheme == "rediss" {
            throw URLError(
                "rediss:// needs TLS, which is not there yet: use redis:// on a network that you trust,"
                    + " or put stunnel between")
        }
        guard let maker = all.first(where: { $0.schemes.contains(url.scheme) }) else {
            let known = all.flatMap(\.schemes).map { "\($0)://" }.joined(separator: ", ")
            throw URLError("unknown scheme \(URLOptions.show(url.scheme)); known are \(known)")
        }
        var common = CommonOptions(
            connectTimeout: options.connectTimeout, publishTimeout: options.publishTimeout,
            pingInterval: options.pingInterval, maximumMessageSize: options.maximumMessageSize)
        try common.take(from: &url.options)
        return (try maker.make(url, common), common)
    }
}
