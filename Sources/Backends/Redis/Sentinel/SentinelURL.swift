package import BroadcasterWire

/// The contents of a `redis-sentinel://` URL: the sentinels, the name of what they watch, and the login at the master.
///
/// It takes lettuce's option for the name (6.5, `RedisURI`), redis-py's word for it (5.2, `Sentinel.master_for`), and
/// the path of Python's add-ons: `redis+sentinel://host/name/0`. Sentinels have a login of their own: one that they did
/// not ask for is refused, so the master's is never sent there.
package struct SentinelURL: Sendable {
    package let sentinels: [Endpoint]
    /// The name by which the sentinels know the master.
    package let service: String
    /// The login at the sentinels; nil: none.
    let login: RedisLogin?
    package let password: String?
    /// The login at the master. Its endpoint is the first sentinel, and of no meaning.
    package let server: RedisURL

    package static let schemes = secureSchemes + plainSchemes
    private static let secureSchemes = [
        "rediss-sentinel", "valkeys-sentinel", "rediss+sentinel", "rediss-stream+sentinel",
    ]
    private static let plainSchemes = [
        "redis-sentinel", "valkey-sentinel", "redis+sentinel", "redis-stream+sentinel",
    ]
    private static let defaultPort: UInt16 = 26379
    /// The name in the example of `sentinel.conf`.
    private static let defaultService = "mymaster"

    package init(_ url: ServerURL) throws(ServerURLError) {
        var url = url
        let sentinels = try RedisURL.hosts(url, defaultPort: SentinelURL.defaultPort)
        let path = try SentinelURL.path(url)
        service =
            try url.options.take(
                "master",
                aliases: ["sentinelMasterId", "service_name", "master_name", "masterName"],
                beside: path.service.map { ("the name in the path", $0) })
            ?? SentinelURL.defaultService
        guard (1...256).contains(service.utf8.count), !service.utf8.contains(where: { $0 <= 0x20 })
        else { throw ServerURLError("the master's name has 1 to 256 characters without blanks") }
        let user = try url.options.take("sentinel_username", aliases: ["sentinelUsername"])
        password = try url.options.take("sentinel_password", aliases: ["sentinelPassword"])
        login = RedisLogin(user: user, password: password)
        self.sentinels = sentinels
        server = try RedisURL(
            url, at: sentinels[0], isSecure: SentinelURL.secureSchemes.contains(url.scheme),
            database: path.database)
    }

    /// `/database`, `/name` or `/name/database`.
    private static func path(
        _ url: ServerURL
    ) throws(ServerURLError) -> (service: String?, database: Int?) {
        let parts = url.path.utf8.split(separator: UInt8(ascii: "/")).map { Substring($0) }
        let database = parts.last.flatMap { URLOptions.integer($0) }
        let names = parts.dropLast(database == nil ? 0 : 1)
        guard names.count <= 1, database ?? 0 <= Int32.max else {
            throw ServerURLError(
                "the path is no database, and no name with a database: \(url.show(url.path));"
                    + " write \(url.scheme)://host/0?master=NAME")
        }
        return (names.first.map { String($0) }, database)
    }
}
