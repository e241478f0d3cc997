package import BroadcasterWire

/// RabbitMQ, over AMQP 0-9-1.
package struct RabbitMQBackend: URLBackend {
    package static let schemes = RabbitMQURL.schemes
    /// 16 MiB: the longest that RabbitMQ 4 takes (`max_message_size`).
    package static let messageSize = 16 << 20

    private let url: RabbitMQURL
    private let options: CommonOptions

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment = .empty
    ) throws(ServerURLError) {
        self.url = try RabbitMQURL(url)
        self.options = options
    }

    /// `connection_timeout`, in milliseconds, is RabbitMQ's name for the time to connect.
    package static func adjust(
        _ options: inout CommonOptions, by urlOptions: inout URLOptions
    ) throws(ServerURLError) {
        guard
            let time = try urlOptions.takeInteger("connection_timeout", in: 0...Int(Int32.max))
        else { return }
        options.connectTimeout =
            time == 0 ? CommonOptions.longestConnect : .milliseconds(time)
    }

    package var endpoints: [Endpoint] { url.endpoints }

    package func security(to endpoint: Endpoint) -> TLSOptions? { url.security }

    package var secrets: [String] {
        url.hasPassword && !url.password.isEmpty ? [url.password] : []
    }

    package func makeSession() -> any Session {
        makeSession(nonce: Nonce.random())
    }

    /// - Parameter nonce: makes the name of this publisher its own.
    package func makeSession(nonce: String) -> any Session {
        guard let streams = url.streams else {
            return RabbitMQSession(url, options: options, nonce: nonce)
        }
        return RabbitMQStreamSession(url, streams, options: options, nonce: nonce)
    }

    /// Bytes of a routing key.
    private static let longestName = 255

    package func refusal(of topic: TopicName) -> String? {
        guard case .pattern(let pattern) = topic else { return refusal(ofChannel: topic.bytes) }
        if url.streams != nil {
            return "patterns have no history in RabbitMQ: subscribe to them without history=stream"
        }
        if pattern.isEmpty { return "the pattern is empty" }
        if pattern.utf8.count > RabbitMQBackend.longestName {
            return
                "a pattern has at most \(RabbitMQBackend.longestName) bytes in RabbitMQ, this one has"
                + " \(pattern.utf8.count)"
        }
        if TopicPattern.hasWildcardWord(pattern.utf8, [UInt8(ascii: "#")]) {
            return
                "# is no wildcard here: write *, which stands for any characters, dots too (a # itself"
                + " is written \\#)"
        }
        return nil
    }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        if let refusal = refusal(ofChannel: Array(channel.utf8)) { return refusal }
        let limit = options.maximumMessageSize
        guard payload.byteCount > limit else { return nil }
        return "a message has at most \(limit) bytes (max_message_size), this one has"
            + " \(payload.byteCount)"
    }

    package var keepsHistory: Bool { url.streams != nil }

    package func refusal(of position: Position) -> String? {
        guard url.streams != nil else { return "the server keeps no history" }
        return position == .origin || position.pair != nil
            ? nil : "it is no position of a RabbitMQ stream, as 17-2893648011 is one"
    }

    private func refusal(ofChannel name: [UInt8]) -> String? {
        if name.isEmpty { return "the channel's name is empty" }
        if name.count > RabbitMQBackend.longestName {
            return
                "a channel's name has at most \(RabbitMQBackend.longestName) bytes in RabbitMQ, this"
                + " one has \(name.count)"
        }
        if url.streams != nil {
            let longest = RabbitMQBackend.longestName - url.streamPrefix.utf8.count
            if name.count > longest {
                return
                    "a channel's name has at most \(longest) bytes with history=stream, this one has"
                    + " \(name.count)"
            }
            if String(validating: name, as: UTF8.self) == nil {
                return "the channel's name is not UTF-8, which a stream's name must be"
            }
        }
        if url.isServersOwn, TopicPattern.hasWildcardWord(name, Array("*#".utf8)) {
            return
                "a word * or # in a channel's name is a wildcard to \(url.exchange): use an exchange of"
                + " your own"
        }
        return nil
    }
}
