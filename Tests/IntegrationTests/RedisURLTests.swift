import Broadcaster
import BroadcasterTestSupport
import Testing

/// Logins that only a real server shows to be right.
@Suite(
    .takesTurns,
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
    .timeLimit(.minutes(2)))
struct RedisURLTests {
    /// A user of an ACL with `nopass`; the default user, by a template that is filled with nothing; a database.
    @Test(arguments: [
        "redis://alice@HOST", "redis://alice:@HOST", "redis://HOST?username=alice",
        "redis://:@HOST", "redis://@HOST", "redis://HOST?password=", "redis://HOST/0/",
        "valkey://HOST", "valkey://:@HOST/1/",
        "redis://HOST?max_connections=10&decode_responses=True&socket_keepalive=True&encoding=utf-8",
    ])
    func aLoginWithoutAPasswordWorks(text: String) async throws {
        let server = try await RedisServer()
        _ = try await server.command(
            "ACL", "SETUSER", "alice", "on", "nopass", "+@all", "allchannels")
        let url = text.split(separator: "HOST", omittingEmptySubsequences: false)
            .joined(separator: "127.0.0.1:\(server.port)")
        for dialect in ["2", "3"] {
            let query = text.contains("?") ? "&" : "?"
            try await withBroadcast(url + query + "protocol=\(dialect)") { broadcast in
                let subscription = try await broadcast.subscribe(to: "chat")
                try await broadcast.publish("hello", to: "chat")
                var messages = subscription.makeAsyncIterator()
                #expect(try await messages.next()?.text == "hello")
                let clients = try await server.command("CLIENT", "LIST")
                #expect("\(clients)".contains("user=alice") == text.contains("alice"))
            }
        }
    }
}
