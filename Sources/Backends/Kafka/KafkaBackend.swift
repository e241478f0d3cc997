package import BroadcasterWire

/// Kafka: a channel is a topic, and a message a record's value.
package struct KafkaBackend: URLBackend {
    package static let schemes = KafkaURL.schemes

    private let url: KafkaURL
    private let options: CommonOptions
    private let environment: ServerEnvironment

    package init(
        _ url: ServerURL, options: CommonOptions, environment: ServerEnvironment = .empty
    ) throws(ServerURLError) {
        self.url = try KafkaURL(url)
        self.options = options
        self.environment = environment
    }

    package var endpoints: [Endpoint] { url.endpoints }

    package var secrets: [String] { url.password.map { [$0] } ?? [] }

    package func security(to endpoint: Endpoint) -> TLSOptions? { url.security }

    package func makeSession() -> any Session {
        makeSession(nonce: Nonce.random(), time: environment.time())
    }

    /// - Parameters:
    ///   - nonce: for the login.
    ///   - time: milliseconds since 1970, at this moment.
    package func makeSession(nonce: String, time: Int64) -> any Session {
        KafkaSession(url, options: options, nonce: nonce, time: time)
    }

    package var keepsHistory: Bool { true }

    package func refusal(of position: Position) -> String? {
        PlaceVector(position) == nil
            ? "it is no position of kafka://, which is an x and hexadecimal digits" : nil
    }

    package func refusal(of topic: TopicName) -> String? {
        switch topic {
        case .channel(let name): refusal(ofChannel: name)
        case .pattern: "Kafka has no patterns here: name the topics"
        case .binaryChannel: "a topic's name is ASCII in Kafka, and this one is not UTF-8"
        }
    }

    package func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        if let refusal = refusal(ofChannel: channel) { return refusal }
        let limit = options.maximumMessageSize
        guard payload.byteCount > limit else { return nil }
        return
            "a message has at most \(limit) bytes (max_message_size; a topic takes 1 MB unless its max.message.bytes says more), this one has \(payload.byteCount)"
    }

    /// As Kafka's `Topic.validate` has it.
    private func refusal(ofChannel name: String) -> String? {
        if name.isEmpty { return "the channel's name is empty" }
        if name == "." || name == ".." { return "a topic cannot be called \(name)" }
        if name.utf8.count > 249 {
            return "a topic's name has at most 249 characters, this one has \(name.utf8.count)"
        }
        let isLegal = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isLegal ? nil : "a topic's name has letters, digits and . _ - alone"
    }
}
