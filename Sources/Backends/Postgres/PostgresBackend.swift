package import BroadcasterWire

/// Postgres LISTEN and NOTIFY.
package struct PostgresBackend: URLBackend {
    package static let schemes = PostgresURL.schemes
    /// 16 MiB: a larger message would be cut into thousands of parts.
    package static let messageSize = 16 << 20

    private let url: PostgresURL
    private let options: CommonOptions
    private let environment: ServerEnvironment
    /// Its sessions make the tables, and nothing else.
    private var isMigrating = false

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment
    ) throws(ServerURLError) {
        self.url = try PostgresURL(url, environment: environment)
        self.options = options
        self.environment = environment
    }

    /// The one variable of libpq's that concerns the core.
    package static func adjust(
        _ options: inout CommonOptions, by environment: ServerEnvironment
    ) throws(ServerURLError) {
        let name = "PGCONNECT_TIMEOUT"
        guard let text = environment.variable(name) else { return }
        guard let time = CommonOptions.connectTimeout(text) else {
            throw ServerURLError("\(name) is not a time in seconds: \(URLOptions.show(text))")
        }
        options.connectTimeout = time
    }

    package var endpoints: [Endpoint] { url.endpoints }

    package var secrets: [String] { url.password.map { [$0] } ?? [] }

    /// Only `sslnegotiation=direct` begins with TLS; else the server is asked first.
    package func security(to endpoint: Endpoint) -> TLSOptions? {
        url.security.isDirect ? url.tlsOptions(for: endpoint) : nil
    }

    /// The password file, as libpq has it: each host of the list has its own line there.
    package var passwords: PasswordSource? {
        if url.password != nil { return nil }
        return { [url, environment] endpoint in url.password(for: endpoint, in: environment) }
    }

    package func makeSession() -> any Session {
        makeSession(nonce: Nonce.random())
    }

    /// - Parameter nonce: for the login, and for the names that only this session knows.
    package func makeSession(nonce: String) -> any Session {
        guard let table = url.history else {
            return NegotiatedSession(PostgresSession(url, options: options, nonce: nonce), url)
        }
        return NegotiatedSession(
            PostgresHistorySession(
                url, table, options: options, nonce: nonce,
                preparation: isMigrating ? table.migration : nil), url)
    }

    package var keepsHistory: Bool { url.history != nil }

    package func refusal(of position: Position) -> String? {
        position == .origin || position.triple != nil
            ? nil : "it is no position of a Postgres history, as 5f0c19:17-1795586786732000 is one"
    }

    package var migration: String? { url.history?.migration }

    package var migrating: (any Backend)? {
        guard url.history != nil else { return nil }
        var backend = self
        backend.isMigrating = true
        return backend
    }

    /// NAMEDATALEN less one. Postgres would cut a longer name, and then hear another channel's messages.
    private static let longestName = 63
    /// An entry of an index has at most 2,704 bytes (BTMaxItemSize), with the number beside the name.
    private static let longestKey = 2000

    package func refusal(of topic: TopicName) -> String? {
        switch topic {
        case .channel(let name): refusal(ofChannel: name)
        case .pattern: "Postgres has no patterns: name the channels"
        case .binaryChannel: "a channel's name is text in Postgres, and this one is not UTF-8"
        }
    }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        if let refusal = refusal(ofChannel: channel) { return refusal }
        let limit = options.maximumMessageSize
        if payload.byteCount > limit {
            return "a message has at most \(limit) bytes (max_message_size), this one has"
                + " \(payload.byteCount)"
        }
        guard url.history == nil, url.largePayloads == .refuse,
            PayloadCodec.encode(payload, id: 0).count > 1
        else {
            return nil
        }
        return
            "a message has at most \(PayloadCodec.longest) bytes where large_payloads=refuse, this one has"
            + " \(payload.byteCount)"
    }

    private func refusal(ofChannel name: String) -> String? {
        let count = name.utf8.count
        if count == 0 { return "the channel's name is empty" }
        // A history's channel is a value, and its bell a digest.
        let longest = keepsHistory ? PostgresBackend.longestKey : PostgresBackend.longestName
        if count > longest {
            return
                "a channel's name has at most \(longest) bytes in Postgres, this one"
                + " has \(count)"
        }
        return name.utf8.contains(0) ? "a channel's name holds no NUL in Postgres" : nil
    }
}
