import BroadcasterPostgres
import BroadcasterRedis
import BroadcasterWire
import Testing

@testable import Broadcaster

/// Servers by their parts.
struct BroadcastServerTests {
    /// Every mark of a URL, a line break, an accent and a sign beyond.
    private static let secret = "p@:/?#[]%&=+ \n;,\"'\\é🔑"

    private func redis(_ server: BroadcastServer) throws -> RedisURL {
        try RedisURL(ServerURL(server.url))
    }

    private func postgres(_ server: BroadcastServer) throws -> PostgresURL {
        try PostgresURL(ServerURL(server.url), environment: .empty)
    }

    @Test func aRedisServerHasThePartsThatWereGiven() throws {
        let url = try redis(
            .redis(
                host: "cache.internal", port: 7000, user: Self.secret, password: Self.secret,
                database: 3, options: ["protocol": "2", "client_name": "a&b"]))
        #expect(url.endpoint == .tcp(host: "cache.internal", port: 7000))
        #expect(url.user == Self.secret)
        #expect(url.password == Self.secret)
        #expect(url.database == 3)
        #expect(url.dialect == .resp2)
        #expect(url.clientName == "a&b")
        let plain = try redis(.redis())
        #expect(plain.endpoint == .tcp(host: "localhost", port: 6379))
        #expect(plain.password == nil)
        #expect(try redis(.redis(host: "::1")).endpoint == .tcp(host: "::1", port: 6379))
        #expect(try redis(.redis(password: "x")).user == nil)
        #expect(BroadcastServer.redis(host: "h", tls: true).url == "rediss://h")
    }

    @Test func aSocketIsAPath() throws {
        let url = try redis(
            .redis(socket: "/run/a b?/redis.sock", password: Self.secret, database: 1))
        #expect(url.endpoint == .unix(path: "/run/a b?/redis.sock"))
        #expect(url.password == Self.secret)
        #expect(url.database == 1)
    }

    @Test func aPostgresServerHasThePartsThatWereGiven() throws {
        let secret = Self.secret
        let url = try postgres(
            .postgres(
                host: "db.internal", port: 6000, user: secret, password: secret, database: secret,
                options: ["large_payloads": "refuse"]))
        #expect(url.endpoints == [.tcp(host: "db.internal", port: 6000)])
        #expect(url.user == secret)
        #expect(url.password == secret)
        #expect(url.database == secret)
        #expect(url.largePayloads == .refuse)
        let socket = try postgres(.postgres(host: "/run/pg", user: "u"))
        #expect(socket.endpoints == [.unix(path: "/run/pg/.s.PGSQL.5432")])
        let list = try postgres(.postgres(host: "a,b", user: "u"))
        #expect(list.endpoints == [.tcp(host: "a", port: 5432), .tcp(host: "b", port: 5432)])
    }

    @Test func whatIsNotPossibleInAURLIsRefusedWithoutTheSecret() {
        for server in [
            BroadcastServer.redis(host: "", password: "hunter2"),
            .redis(port: 70_000, password: "hunter2"),
            .redis(password: "hunter2", database: -1),
            .redis(password: "hunter2", options: ["colour": "blue"]),
            .postgres(port: 0, user: "u", password: "hunter2"),
        ] {
            let error = #expect(throws: BroadcastError.self) { try Broadcast(server) }
            #expect(error.map { !"\($0)".contains("hunter2") } == true)
        }
    }

    @Test func noDescriptionShowsThePassword() {
        for server in [
            BroadcastServer.redis(host: "h", port: 1, user: "u", password: "hunter2"),
            .redis(socket: "/s", password: "hunter2"),
            .postgres(host: "h", user: "u", password: "hunter2"),
        ] {
            var dumped = ""
            dump(server, to: &dumped)
            for text in ["\(server)", String(reflecting: server), dumped] {
                #expect(!text.contains("hunter2"), "\(text)")
            }
        }
        #expect("\(BroadcastServer.redis(host: "h", port: 1))" == "redis://h:1")
    }

    @Test func memoryIsAServerToo() async throws {
        let broadcast = try Broadcast(.memory)
        try await broadcast.connect()
        #expect(try await broadcast.publish("x", to: "c").receivers == 0)
        await broadcast.disconnect()
    }
}
