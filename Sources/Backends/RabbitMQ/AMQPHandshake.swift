import BroadcasterWire

/// The login on one connection (§2.2.4): start, tune, open. A pure value.
struct AMQPHandshake: Sendable {
    private enum Phase: Sendable {
        case awaitsStart
        case awaitsTune
        case awaitsOpenOk
        case done
    }

    enum Outcome: Sendable {
        case goOn
        case done
        case rejected(Rejection)
    }

    private let url: RabbitMQURL
    private let heartbeat: UInt16?
    private var phase = Phase.awaitsStart
    private(set) var product = "rabbitmq"
    private(set) var version = "unknown"
    /// The limits that both sides have agreed on.
    private(set) var tuning = AMQPTuning(
        channels: 0, frame: UInt32(AMQPFrame.usualLimit), heartbeat: 0)

    /// - Parameter interval: the longest silence that is wanted, where the URL has no `heartbeat`.
    init(_ url: RabbitMQURL, interval: Duration) {
        self.url = url
        heartbeat = url.heartbeat ?? AMQPHandshake.seconds(interval)
    }

    /// Whole seconds, one at least.
    private static func seconds(_ interval: Duration) -> UInt16 {
        let (seconds, rest) = interval.components
        return UInt16(clamping: max(seconds + (rest > 0 ? 1 : 0), 1))
    }

    var isDone: Bool { if case .done = phase { true } else { false } }
    /// True if the server has said nothing yet.
    var isUnanswered: Bool { if case .awaitsStart = phase { true } else { false } }

    mutating func received(
        _ method: ConnectionMethod, into bytes: inout [UInt8]
    ) throws(ProtocolError) -> Outcome {
        switch (phase, method) {
        case (.awaitsStart, .start(let major, let minor, let properties, let mechanisms, _)):
            return greeted((major, minor), properties, mechanisms, into: &bytes)
        case (.awaitsTune, .tune(let offer)):
            tuning = try agreed(on: offer)
            AMQPMethod.connection(.tuneOk(tuning)).append(on: 0, to: &bytes)
            AMQPMethod.connection(.open(virtualHost: url.virtualHost)).append(on: 0, to: &bytes)
            phase = .awaitsOpenOk
        case (.awaitsOpenOk, .openOk):
            phase = .done
            return .done
        default:
            throw ProtocolError(
                reading: "AMQP handshake", expected: expectation,
                found: "method \(method.id)")
        }
        return .goOn
    }

    private var expectation: String {
        switch phase {
        case .awaitsStart: "connection.start"
        case .awaitsTune: "connection.tune"
        case .awaitsOpenOk: "connection.open-ok"
        case .done: "nothing, it is over"
        }
    }

    // MARK: Who we are

    private mutating func greeted(
        _ protocolVersion: (UInt8, UInt8), _ properties: AMQPTable, _ mechanisms: String,
        into bytes: inout [UInt8]
    ) -> Outcome {
        guard protocolVersion == (0, 9) else {
            let (major, minor) = protocolVersion
            return .rejected(
                Rejection(
                    kind: .permanent, message: "the server speaks AMQP \(major)-\(minor), not 0-9-1"
                ))
        }
        if let name = properties["product"]?.string {
            product = Rejection.printable(name.lowercased())
        }
        if let text = properties["version"]?.string { version = Rejection.printable(text) }
        // RabbitMQ answers one that it has not offered by three seconds of silence and RST.
        let offered = mechanisms.utf8.split(separator: UInt8(ascii: " ")).map {
            String(Substring($0))
        }
        guard offered.contains(url.mechanism.rawValue) else {
            let list = Rejection.printable(mechanisms)
            return .rejected(
                Rejection(
                    kind: .authentication,
                    message: "the server offers the logins \(list), not \(url.mechanism.rawValue)",
                    advice: "choose one by auth_mechanism"))
        }
        AMQPMethod.connection(
            .startOk(
                clientProperties, mechanism: url.mechanism.rawValue, response: response,
                locale: "en_US")
        ).append(on: 0, to: &bytes)
        phase = .awaitsTune
        return .goOn
    }

    /// Each capability is a promise: without them the server is silent where it has something to say.
    private var clientProperties: AMQPTable {
        let capabilities: AMQPTable = AMQPTable([
            "publisher_confirms": .boolean(true), "basic.nack": .boolean(true),
            "consumer_cancel_notify": .boolean(true), "connection.blocked": .boolean(true),
            "authentication_failure_close": .boolean(true),
            "exchange_exchange_bindings": .boolean(true),
        ])
        return AMQPTable([
            "product": .text("Broadcaster"), "platform": .text("Swift"),
            "capabilities": .table(capabilities), "connection_name": .text(url.connectionName),
        ])
    }

    private var response: [UInt8] {
        switch url.mechanism {
        case .plain: return [0] + Array(url.user.utf8) + [0] + Array(url.password.utf8)
        case .amqplain:
            // The inside of a table: without its length.
            let table = AMQPTable(["LOGIN": .text(url.user), "PASSWORD": .text(url.password)])
            var bytes: [UInt8] = []
            table.append(to: &bytes)
            return Array(bytes.dropFirst(4))
        case .external: return []
        }
    }

    // MARK: Limits

    /// The smaller of both sides' limits, of which 0 is none. RabbitMQ answers a larger one by silence and RST.
    private func agreed(on offer: AMQPTuning) throws(ProtocolError) -> AMQPTuning {
        let least = 4096
        guard offer.frame == 0 || offer.frame >= least else {
            throw ProtocolError(
                reading: "connection.tune", expected: "a frame_max of \(least) or more",
                found: "\(offer.frame)")
        }
        let ours = UInt32(url.frameLimit)
        var tuning = offer
        tuning.frame = offer.frame == 0 ? ours : min(offer.frame, ours)
        if let heartbeat {
            let isOff = heartbeat == 0 || offer.heartbeat == 0
            tuning.heartbeat = isOff ? heartbeat : min(heartbeat, offer.heartbeat)
        }
        return tuning
    }
}

extension ServerIdentity {
    init(_ handshake: AMQPHandshake) {
        self.init(
            product: handshake.product, version: handshake.version, dialect: "AMQP 0-9-1")
    }
}
