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
    /// What is kept of each channel; nil: nothing.
    let streams: StreamOptions?
    /// nil: no TLS.
    package let security: TLSOptions?

    package static let schemes = ["amqp", "amqps", "rabbitmq"]
    private static let secureScheme = "amqps"

    package init(_ url: ServerURL) throws(ServerURLError) {
        var options = url.options
        endpoints = try RabbitMQURL.hosts(url)
        user = url.user ?? "guest"
        hasPassword = url.password != nil
        password = url.password ?? (user == "guest" ? "guest" : "")
        // As RabbitMQ has it, no path is the virtual host `/`. By the letter `amqp://host/` would be one without a name,
        // which no server has; Python's clients take that for `/` too.
        virtualHost = url.path.isEmpty ? "/" : url.path
        let isSecure = url.scheme == RabbitMQURL.secureScheme
        security = try isSecure ? RabbitMQURL.security(&options) : nil
        if !isSecure { try TLSOptions.refuse(in: &options, scheme: RabbitMQURL.secureScheme) }
        mechanism = try RabbitMQURL.mechanism(
            &options, hasCertificate: security?.certificateFile != nil)
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
        streams = try RabbitMQURL.streams(&options)
        try RabbitMQURL.checkForeign(&options, isSecure: isSecure)
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

    private static func streams(_ options: inout URLOptions) throws(ServerURLError)
        -> StreamOptions?
    {
        let shown = options
        let isKept = try options.take("history") { (name, text) throws(ServerURLError) in
            if text == "stream" { return true }
            throw ServerURLError("\(name) is stream, not \(shown.show(text))")
        }
        let bytes = try options.takeInteger("stream_max_bytes", in: 1 << 20...1 << 50)
        let age = try options.takeDuration("stream_max_age")
        guard isKept == true else {
            guard bytes == nil, age == nil else {
                throw ServerURLError(
                    "stream_max_bytes and stream_max_age bound a history: ask for it by history=stream"
                )
            }
            return nil
        }
        var streams = StreamOptions()
        if let bytes { streams.bytes = bytes }
        streams.age = age.map { max(Int(clamping: $0.components.seconds), 1) }
        return streams
    }

    private static func hosts(_ url: ServerURL) throws(ServerURLError) -> [Endpoint] {
        guard !url.hosts.isEmpty, url.hosts.allSatisfy({ !$0.name.isEmpty }) else {
            throw ServerURLError(
                "the URL has no host: expected something like \(url.scheme)://localhost")
        }
        let defaultPort: UInt16 = url.scheme == secureScheme ? 5671 : 5672
        return url.hosts.map { .tcp(host: $0.name, port: $0.port ?? defaultPort) }
    }

    private static func mechanism(
        _ options: inout URLOptions, hasCertificate: Bool
    ) throws(ServerURLError) -> Mechanism {
        let shown = options
        return try options.take("auth_mechanism") { (name, text) throws(ServerURLError) in
            switch text.lowercased() {
            case "plain": return .plain
            case "amqplain": return .amqplain
            case "external":
                if hasCertificate { return .external }
                throw ServerURLError(
                    "\(name)=external logs in by a client's certificate: give one by certfile, in an"
                        + " \(secureScheme) URL")
            default:
                throw ServerURLError(
                    "the option \(name) is plain, amqplain or external, not \(shown.show(text))")
            }
        } ?? .plain
    }

    /// Names are texts of at most 255 bytes on the wire.
    private func check() throws(ServerURLError) {
        for (part, text) in [
            ("virtual host", virtualHost), ("option exchange", exchange + ".exact"),
            ("option connection_name", connectionName),
        ] where text.utf8.count > 255 {
            throw ServerURLError("the \(part) is longer than RabbitMQ takes: 255 bytes")
        }
        for (part, text) in [("user name", user), ("password", password)]
        where text.utf8.count > 4096 || text.utf8.contains(0) {
            throw ServerURLError("the \(part) is longer than 4,096 bytes, or holds a NUL")
        }
        if exchange.isEmpty {
            throw ServerURLError(
                "the option exchange is empty: RabbitMQ's default exchange has no bindings")
        }
        if isServersOwn, exchange != "amq.topic" {
            throw ServerURLError(
                "the option exchange names one of the server's own that is no topic exchange: amq.topic is"
            )
        }
    }
}

// MARK: TLS

extension RabbitMQURL {
    /// The options of RabbitMQ's "URI query parameters" for TLS, beside those that every backend has.
    private static func security(_ options: inout URLOptions) throws(ServerURLError) -> TLSOptions {
        var security = try TLSOptions(from: &options)
        let shown = options
        let verifies = try options.take("verify") { (name, text) throws(ServerURLError) in
            switch text {
            case "verify_peer": return true
            case "verify_none": return false
            default:
                throw ServerURLError(
                    "\(name) is verify_peer or verify_none, not \(shown.show(text))")
            }
        }
        if verifies == false { security.verification = .none }
        if let file = try options.take("cacertfile", aliases: ["cafile"]) {
            security.authorityFile = file
        }
        if let file = try options.take("certfile") { security.certificateFile = file }
        if let file = try options.take("keyfile") { security.keyFile = file }
        if let word = try options.take("password") { security.keyPassword = word }
        if let name = try options.take("server_name_indication") { security.serverName = name }
        if security.keyFile != nil, security.certificateFile == nil {
            throw ServerURLError("keyfile needs certfile, the certificate that it belongs to")
        }
        security.authorityOption = "cacertfile"
        security.certificateOption = "certfile"
        security.nameOption = "server_name_indication"
        return security
    }

    private static let needsTLS = "needs TLS, which an amqps:// URL asks for"

    private static let tlsOptions = [
        "cacertfile", "cafile", "certfile", "keyfile", "password", "verify",
        "server_name_indication",
    ].map { ForeignOption($0, nil, .none(needsTLS)) }
}

// MARK: Options of other clients

extension RabbitMQURL {
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
            "depth", "fail_if_no_peer_cert", "ssl_options", "capath", "cadata", "no_verify_ssl",
            "auth",
        ]
        .map { ForeignOption($0, nil, .none("is not there: see cacertfile, certfile and verify")) }

    private static func checkForeign(
        _ options: inout URLOptions, isSecure: Bool
    ) throws(ServerURLError) {
        let shown = options
        for option in foreignOptions + (isSecure ? [] : tlsOptions) {
            guard let text = try options.take(option.name, isListed: false) else { continue }
            try option.check(text, as: "the option \(option.name)", show: shown.show)
        }
    }
}
