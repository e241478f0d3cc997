import BroadcasterRabbitMQ
import BroadcasterWire
import Testing

struct RabbitMQURLTests {
    /// A URL, and what it means.
    @Test(arguments: [
        ("amqp://h", "h:5672 guest guest / broadcaster"),
        ("amqp://h/", "h:5672 guest guest / broadcaster"),
        ("amqp://h/%2F", "h:5672 guest guest / broadcaster"),
        ("amqp://h/%2f", "h:5672 guest guest / broadcaster"),
        ("amqp://h/v", "h:5672 guest guest v broadcaster"),
        ("amqp://h/v%2fw", "h:5672 guest guest v/w broadcaster"),
        ("amqp://u:p%40%2F@h:10000/vhost", "h:10000 u p@/ vhost broadcaster"),
        (
            "amqp://user%61:%61pass@ho%61st:10000/v%2fhost",
            "hoast:10000 usera apass v/host broadcaster"
        ),
        ("amqp://u@h", "h:5672 u  / broadcaster"), ("amqp://u:@h", "h:5672 u  / broadcaster"),
        ("amqp://guest@h", "h:5672 guest guest / broadcaster"),
        ("rabbitmq://[::1]:7", "[::1]:7 guest guest / broadcaster"),
        ("amqp://a:1,b,c:3/v", "a:1 b:5672 c:3 guest guest v broadcaster"),
        ("amqp://h?exchange=news&max_length=5&max_length_bytes=100", "h:5672 guest guest / news"),
        (
            "amqp://h?heartbeat=30&channel_max=10&frame_max=131072&auth_mechanism=plain",
            "h:5672 guest guest / broadcaster"
        ),
        (
            "amqp://h?connection_attempts=3&retry_delay=0.5&locale=en_US&blocked_connection_timeout=3",
            "h:5672 guest guest / broadcaster"
        ),
        ("amqp://h?name=web", "h:5672 guest guest / broadcaster"),
    ])
    func meansWhatTheTableSays(text: String, meaning: String) throws {
        let url = try RabbitMQURL(try ServerURL(text))
        let parts =
            url.endpoints.map(\.description)
            + [url.user, url.password, url.virtualHost, url.exchange]
        #expect(parts.joined(separator: " ") == meaning)
    }

    @Test(arguments: [
        ("amqps://h?auth_mechanism=external", "give one by certfile, in an amqps URL"),
        ("amqps://h?verify=maybe", "verify is verify_peer or verify_none, not \"maybe\""),
        ("amqps://h?keyfile=/k", "keyfile needs certfile"),
        ("amqp://", "the URL has no host"), ("amqp:///v", "the URL has no host"),
        ("amqp://a,,b", "the URL has no host"),
        ("amqp://h?colour=red", "unknown option \"colour\""),
        ("amqp://h?heartbeat=-1", "the option heartbeat is not a number from 0 to 65535"),
        ("amqp://h?frame_max=4096", "the option frame_max is not a number from 8192"),
        ("amqp://h?auth_mechanism=external", "logs in by a client's certificate"),
        ("amqp://h?auth_mechanism=scram", "is plain, amqplain or external, not \"scram\""),
        ("amqp://h?verify=verify_peer", "the option verify needs TLS"),
        ("amqp://h?cacertfile=/x", "the option cacertfile needs TLS"),
        ("amqp://h?exchange=", "the option exchange is empty"),
        ("amqp://h?exchange=amq.direct", "no topic exchange: amq.topic is"),
        ("amqp://h?locale=de_DE", "the option locale is en_US"),
        ("amqp://h?max_length=0", "the option max_length is not a number from 1"),
        ("amqp://h/" + String(repeating: "v", count: 256), "longer than RabbitMQ takes: 255 bytes"),
    ])
    func whatCannotBeKeptIsRefused(text: String, says: String) {
        let error = #expect(throws: ServerURLError.self) { try RabbitMQURL(try ServerURL(text)) }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test func securityIsNamedAsRabbitMQNamesIt() throws {
        let url = try RabbitMQURL(
            try ServerURL(
                "amqps://h?cacertfile=/ca&certfile=/c&keyfile=/k&password=pw&server_name_indication=n"
                    + "&auth_mechanism=external"))
        #expect(url.endpoints == [.tcp(host: "h", port: 5671)])
        #expect(url.mechanism == .external)
        let security = url.security
        #expect(security?.verification == .full && security?.authorityFile == "/ca")
        #expect(security?.certificateFile == "/c" && security?.keyFile == "/k")
        #expect(security?.keyPassword == "pw" && security?.serverName == "n")
        let open = try RabbitMQURL(try ServerURL("amqps://h?verify=verify_none"))
        #expect(open.security?.verification == TLSOptions.Verification.none)
        #expect(try RabbitMQURL(try ServerURL("amqp://h")).security == nil)
    }

    @Test func theTimeToConnectMayBeGivenInMilliseconds() throws {
        func time(_ query: String) throws -> Duration {
            var url = try ServerURL("amqp://h?\(query)")
            var options = CommonOptions(
                connectTimeout: .seconds(5), publishTimeout: .zero, pingInterval: .zero,
                maximumMessageSize: 0)
            try RabbitMQBackend.adjust(&options, by: &url.options)
            try options.take(from: &url.options)
            return options.connectTimeout
        }
        #expect(try time("connection_timeout=1500") == .milliseconds(1500))
        #expect(try time("connection_timeout=0") == CommonOptions.longestConnect)
        #expect(try time("heartbeat=3") == .seconds(5))
    }

    @Test func aPasswordThatIsGivenIsASecret() throws {
        #expect(try rabbitBackend("amqp://u:hunter2@h").secrets == ["hunter2"])
        #expect(try rabbitBackend("amqp://h").secrets.isEmpty)
    }
}
