package import BroadcasterWire

/// The contents of an `amqp://` URL, as RabbitMQ's URI specification and its "URI query parameters" have them.
package struct RabbitMQURL: Sendable {
    /// A way to log in, by its SASL name.
    package enum Mechanism: String, Hashable, Sendable {
        case plain = "PLAIN"
        case amqplain = "AMQPLAIN"
        case external = "EXTERNAL"
    }

    /// In the order to try.
    package let endpoints: [Endpoint]
    package let user: String
    /// The URL's, or one that was looked up.
    package private(set) var password: String
    /// True if the URL says it.
    package let hasPassword: Bool
    package let virtualHost: String
    package let mechanism: Mechanism
    package let connectionName: String
    /// Seconds; 0 is none, nil is what `ping` asks for.
    package let heartbeat: UInt16?
    package let frameLimit: Int
    /// The topic exchange to publish to, and to bind patterns to.
    package let exchange: String
    /// The most messages, and bytes of them, that wait for this process at the server.
    package let queueLength: Int
    package let queueBytes: Int

    package static let schemes = ["amqp", "rabbitmq", "amqps"]
    private static let defaultPort: UInt16 = 5672

    package init(_ url: ServerURL) throws(URLError) {
        guard url.scheme != "amqps" else {
            throw URLError(
                "amqps:// needs TLS, which is not there yet: use amqp:// on a network that you trust,"
                    + " or put stunnel between")
        }
        var options = url.options
        endpoints = try RabbitMQURL.hosts(url)
        user = url.user ?? "guest"
        hasPassword = url.password != nil
        password = url.password ?? (user == "guest" ? "guest" : "")
        // As RabbitMQ has it, no path is the virtual host `/`. By the letter `amqp://host/` would be one without a name,
        // which no server has; Python's clients take that for `/` too.
        virtualHost = url.path.isEmpty ? "/" : url.path
        mechanism = try RabbitMQURL.mechanism(&options)
        connectionName =
            try options.take("connection_name", aliases: ["name", "client_name"]) ?? "broadcaster"
        let heartbeat = try options.takeInteger("heartbeat", in: 0...Int(UInt16.max))
        self.heartbeat = heartbeat.map { UInt16($0) }
        // RabbitMQ 4.1 refuses less than 8,192.
        frameLimit =
            try options.takeInteger("frame_max", in: 8192...(1 << 24)) ?? AMQPFrame.usualLimit
        exchange = try options.take("exchange") ?? "broadcaster"
        queueLength = try options.takeInteger("max_length", in: 1...1_000_000) ?? 10_000
        queueBytes =
            try options.takeInteger("max_length_bytes", in: 1...(1 << 40)) ?? 64 << 20
        try RabbitMQURL.checkForeign(&options)
        try options.finish(scheme: url.scheme)
        try check()
    }

    /// The exchange that exact channels are bound to: a direct one behind the topic exchange, so that a channel named
    /// `*` or `#` is no wildcard. One of the server's own exchanges stands alone, and such names are refused.
    package var exactExchange: String { isServersOwn ? exchange : "\(exchange).exact" }

    /// The server declares it itself, and nobody else may.
    package var isServersOwn: Bool { exchange.hasPrefix("amq.") }

    /// The same with a password that was looked up, where one was.
    func using(password found: String?) -> RabbitMQURL {
        var url = self
        url.password = found ?? password
        return url
    }

    private static func hosts(_ url: ServerURL) throws(URLError) -> [Endpoint] {
        guard !url.hosts.isEmpty, url.hosts.allSatisfy({ !$0.name.isEmpty }) else {
            throw URLError(
                "the URL has no host: expected something like \(url.scheme)://localhost:5672")
        }
        return url.hosts.map { .tcp(host: $0.name, port: $0.port ?? defaultPort) }
    }

    private static func mechanism(_ options: inout URLOptions) throws(URLError) -> Mechanism {
        let shown = options
        return try options.take("auth_mechanism") { (name, text) throws(URLError) in
            switch text.lowercased() {
            case "plain": return .plain
            case "amqplain": return .amqplain
            case "external":
                throw URLError("\(name)=external is a client's certificate, and \(needsTLS)")
            default:
                throw URLError("the option \(name) is plain or amqplain, not \(shown.show(text))")
            }
        } ?? .plain
    }

    /// Names are texts of at most 255 bytes on the wire.
    private func check() throws(URLError) {
        for (part, text) in [
            ("virtual host", virtualHost), ("option exchange", exchange + ".exact"),
            ("option connection_name", connectionName),
        ] where text.utf8.count > 255 {
            throw URLError("the \(part) is longer than RabbitMQ takes: 255 bytes")
        }
        for (part, text) in [("user name", user), ("password", password)]
        where text.utf8.count > 4096 || text.utf8.contains(0) {
            throw URLError("the \(part) is longer than 4,096 bytes, or holds a NUL")
        }
        if exchange.isEmpty {
            throw URLError(
                "the option exchange is empty: RabbitMQ's default exchange has no bindings")
        }
        if isServersOwn, exchange != "amq.topic" {
            throw URLError(
                "the option exchange names one of the server's own that is no topic exchange: amq.topic is"
            )
        }
    }
}

// MARK: Options of other clients

extension RabbitMQURL {
    private static let needsTLS = "needs TLS, which is not there yet"

    /// The options of RabbitMQ's own clients, pika 1.3 and aio-pika 9 that have nothing to set here.
    package static let foreignOptions: [ForeignOption] =
        [
            // One channel on each of two connections is all there is.
            ForeignOption("channel_max", nil, .integer),
            // Connecting is always tried again, up to `connect_timeout` at the start.
            ForeignOption("connection_attempts", nil, .integer),
            ForeignOption(
                "retry_delay", nil, .matching(expected: "a number") { Double($0) != nil }),
            ForeignOption("reconnect_interval", nil, .any),
            ForeignOption("fail_fast", nil, .boolean),
            ForeignOption("stack_timeout", nil, .any), ForeignOption("tcp_options", nil, .any),
            ForeignOption("locale", nil, .matching(expected: "en_US") { $0 == "en_US" }),
            // A publisher waits `publish_timeout`, whatever the reason.
            ForeignOption("blocked_connection_timeout", nil, .any),
        ]
        + [
            "cacertfile", "certfile", "keyfile", "password", "verify", "server_name_indication",
            "depth", "fail_if_no_peer_cert", "ssl_options", "cafile", "capath", "cadata",
            "no_verify_ssl", "auth",
        ].map { ForeignOption($0, nil, .none(needsTLS)) }

    private static func checkForeign(_ options: inout URLOptions) throws(URLError) {
        let shown = options
        for option in foreignOptions {
            guard let text = try options.take(option.name, isListed: false) else { continue }
            try option.check(text, as: "the option \(option.name)", show: shown.show)
        }
    }
}
