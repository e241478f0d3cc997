package import BroadcasterWire

/// The contents of a `kafka://` URL, or of a `kafkas://` one with TLS: `kafka://[user[:password]@]host[:port][,host[:port]…][?…]`.
///
/// Options are in the words of Kafka's own configuration, with `_` for its dots, as kafka-python and aiokafka write
/// them. A host is a broker to begin with; the others are found by asking it.
package struct KafkaURL: Sendable {
    package enum Mechanism: String, CaseIterable, Sendable {
        case plain = "PLAIN"
        case scramSHA256 = "SCRAM-SHA-256"
        case scramSHA512 = "SCRAM-SHA-512"
    }

    /// The partition that a message goes to.
    package enum PartitionChoice: Hashable, Sendable {
        /// Always the same, so that the order of a channel is kept.
        case fixed(Int32)
        /// Another one for each batch.
        case spread
    }

    package let endpoints: [Endpoint]
    package let user: String?
    package let password: String?
    /// nil: the best that the broker has.
    package let mechanism: Mechanism?
    package let clientID: String
    package let partition: PartitionChoice
    package let isolation: FetchMessage.Isolation
    /// −1: all replicas that are in sync.
    package let acks: Int16
    package let isIdempotent: Bool
    /// Asks brokers to create a topic that is not there, as they do for other clients.
    package let createsTopics: Bool
    package let longestWait: Duration

    /// nil: no TLS.
    package let security: TLSOptions?

    package static let schemes = ["kafka", "kafkas"]
    private static let defaultPort: UInt16 = 9092

    package init(_ url: ServerURL) throws(ServerURLError) {
        var options = url.options
        endpoints = try KafkaURL.endpoints(url)
        let user = url.user.flatMap { $0.isEmpty ? nil : $0 }
        self.user = try options.take(
            "username", aliases: ["sasl_plain_username"],
            beside: user.map { ("the user before the @", $0) })
        let password = url.password.flatMap { $0.isEmpty ? nil : $0 }
        self.password = try options.take(
            "password", aliases: ["sasl_plain_password"],
            beside: password.map { ("the password before the @", $0) })
        mechanism = try KafkaURL.mechanism(&options)
        clientID = try options.take("client_id") ?? "broadcaster"
        partition = try KafkaURL.partition(&options)
        isolation =
            try options.word(
                "isolation_level",
                ["read_uncommitted": .readUncommitted, "read_committed": .readCommitted])
            ?? .readUncommitted
        acks = try KafkaURL.acks(&options)
        let idempotence = try options.word("enable_idempotence", ["true": true, "false": false])
        isIdempotent = idempotence ?? (acks == -1)
        createsTopics =
            try options.word("allow_auto_create_topics", ["true": true, "false": false]) ?? true
        longestWait = try options.takeDuration("fetch_max_wait") ?? .milliseconds(100)
        let isSecure = url.scheme == "kafkas"
        security = isSecure ? try TLSOptions(from: &options) : nil
        if !isSecure { try TLSOptions.refuse(in: &options, scheme: "kafkas") }
        try KafkaURL.checkForeign(&options, isSecure: isSecure)
        try options.finish(scheme: url.scheme)
        try check(url)
    }

    private static func endpoints(_ url: ServerURL) throws(ServerURLError) -> [Endpoint] {
        guard url.path.isEmpty || url.path == "/" else {
            throw ServerURLError("a \(url.scheme) URL has no path: the channels are the topics")
        }
        guard !url.hosts.isEmpty, url.hosts.allSatisfy({ !$0.name.isEmpty }) else {
            throw ServerURLError(
                "the URL has no host: expected something like \(url.scheme)://localhost:9092")
        }
        return url.hosts.map { .tcp(host: $0.name, port: $0.port ?? defaultPort) }
    }

    private static func mechanism(_ options: inout URLOptions) throws(ServerURLError) -> Mechanism?
    {
        let words = Mechanism.allCases.map { ($0.rawValue, $0) }
        return try options.word(
            "sasl_mechanism", aliases: ["sasl", "sasl_mechanisms"],
            Dictionary(uniqueKeysWithValues: words))
    }

    private static func partition(_ options: inout URLOptions) throws(ServerURLError)
        -> PartitionChoice
    {
        let shown = options
        let choice = try options.take(
            "partition",
            as: { (name, text) throws(ServerURLError) in
                if text == "spread" { return PartitionChoice.spread }
                guard let number = URLOptions.integer(text).flatMap(Int32.init(exactly:)) else {
                    throw ServerURLError(
                        "\(name) is a partition's number or spread, not \(shown.show(text))")
                }
                return .fixed(number)
            })
        return choice ?? .fixed(0)
    }

    private static func acks(_ options: inout URLOptions) throws(ServerURLError) -> Int16 {
        let shown = options
        let acks = try options.take(
            "acks",
            as: { (name, text) throws(ServerURLError) in
                switch text {
                case "all", "-1": return Int16(-1)
                case "1": return 1
                case "0":
                    throw ServerURLError(
                        "acks=0 is not there: publish returns when the broker has accepted")
                default: throw ServerURLError("\(name) is all or 1, not \(shown.show(text))")
                }
            })
        return acks ?? -1
    }

    private func check(_ url: ServerURL) throws(ServerURLError) {
        for (part, text) in [
            ("user name", user), ("password", password), ("client_id", clientID),
        ] {
            guard (text?.utf8.count ?? 0) <= 4096 else {
                throw ServerURLError("the \(part) is longer than 4,096 bytes")
            }
            if text?.utf8.contains(0) == true { throw ServerURLError("the \(part) holds a NUL") }
        }
        if isIdempotent, acks != -1 {
            throw ServerURLError("enable_idempotence needs acks=all")
        }
        if user == nil, password != nil || mechanism != nil {
            throw ServerURLError("a login needs a user: write \(url.scheme)://user:password@host")
        }
    }

    /// The login by a mechanism; nil where the URL has none.
    ///
    /// - Parameter found: a password that was looked up.
    func login(by mechanism: Mechanism, password found: String?) -> KafkaLogin? {
        user.map { KafkaLogin(user: $0, password: found ?? password ?? "", mechanism: mechanism) }
    }
}

// MARK: Options of other clients

extension KafkaURL {
    /// The options of kafka-python and aiokafka that have nothing to set here.
    package static let foreignOptions: [ForeignOption] = [
        ForeignOption(
            "group_id", nil, .none("is not there: every process hears everything, without a group")),
        ForeignOption("api_version", nil, .any),
        ForeignOption("compression_type", nil, .words(["none"])),
    ]

    private static func encryption(isSecure: Bool) -> ForeignOption {
        ForeignOption(
            "security_protocol", nil,
            isSecure
                ? .words(
                    ["SSL", "SASL_SSL"],
                    refused: ["PLAINTEXT": "is kafka://", "SASL_PLAINTEXT": "is kafka://"])
                : .words(
                    ["PLAINTEXT", "SASL_PLAINTEXT"],
                    refused: ["SSL": "needs TLS: kafkas://", "SASL_SSL": "needs TLS: kafkas://"]))
    }

    private static func checkForeign(
        _ options: inout URLOptions, isSecure: Bool
    ) throws(ServerURLError) {
        let shown = options
        for option in foreignOptions + [encryption(isSecure: isSecure)] {
            guard let text = try options.take(option.name, isListed: false) else { continue }
            try option.check(text, as: "the option \(option.name)", show: shown.show)
        }
    }
}

extension URLOptions {
    /// One of a few words.
    fileprivate mutating func word<Value: Equatable>(
        _ name: String, aliases: [String] = [], _ values: [String: Value]
    ) throws(ServerURLError) -> Value? {
        let shown = self
        return try take(name, aliases: aliases) { (spelling, text) throws(ServerURLError) in
            guard let value = values[text] else {
                throw ServerURLError(
                    "\(spelling) is \(ForeignOption.list(values.keys.sorted())), not \(shown.show(text))"
                )
            }
            return value
        }
    }
}
