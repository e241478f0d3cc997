package import BroadcasterWire

/// The contents of a `redis-cluster://` URL: nodes to begin with, the login, and the kind of PUB/SUB.
package struct ClusterURL: Sendable {
    package let seeds: [Endpoint]
    /// Sharded PUB/SUB, whose channels live on the nodes of their slots.
    package let isSharded: Bool
    /// The login. Its endpoint is the first seed, and of no meaning.
    package let server: RedisURL

    package static let schemes =
        ["redis-cluster", "valkey-cluster", "redis-stream+cluster"] + secureSchemes
    private static let secureSchemes = [
        "rediss-cluster", "valkeys-cluster", "rediss-stream+cluster",
    ]
    static let streamSchemes = ["redis-stream+cluster", "rediss-stream+cluster"]
    private static let defaultPort: UInt16 = 6379

    package init(_ url: ServerURL) throws(ServerURLError) {
        var url = url
        seeds = try RedisURL.hosts(url, defaultPort: ClusterURL.defaultPort)
        let show = url.options
        let isOfStreams = ClusterURL.streamSchemes.contains(url.scheme)
        isSharded =
            try isOfStreams
            ? false
            : url.options.take(
                "sharded",
                as: { (name, text) throws(ServerURLError) in
                    guard let truth = ForeignOption.truth(text) else {
                        throw ServerURLError(
                            "the option \(name) is true or false, not \(show.show(text))")
                    }
                    return truth
                }) ?? false
        guard ["", "0", "0/"].contains(url.path) else {
            throw ServerURLError(
                "a cluster has one database, 0: drop the path \(url.show(url.path))")
        }
        server = try RedisURL(
            url, at: seeds[0], isSecure: ClusterURL.secureSchemes.contains(url.scheme),
            database: nil)
        guard server.database == 0 else { throw ServerURLError("a cluster has one database, 0") }
        guard !isSharded || server.dialect == .resp3 else {
            throw ServerURLError(
                "sharded=true needs protocol=3: messages and answers share a connection")
        }
    }
}
