import BroadcasterWire

/// The connection that receives: its queue, the bindings, and what the queue delivers.
///
/// Messages come on a channel of their own. A binding that the server refuses ends the channel that asked for it, and
/// with it nothing that is delivered already.
struct RabbitMQSubscriber: Sendable {
    private enum Phase: Sendable {
        /// The connection logs in.
        case greeting
        /// The channels are opened, and the queue is declared and consumed.
        case preparing
        /// Topics are bound as they come.
        case open
    }

    /// An answer that the server owes on the channel for requests, in their order.
    fileprivate enum Reply: Sendable {
        case openChannel
        case exchange(RabbitMQTopology.ExchangeReply)
        case declareQueue
        case bind(Topic)
        case unbind(Topic)
        case pong
    }

    /// The end of a connection, for a reason of the server's that concerns all topics.
    enum Outcome: Sendable {
        case goOn
        /// The topics have lost their source, and are to be asked for on another connection.
        case ended(String)
        /// Exchanges or the queue are refused.
        case refused(Rejection)
    }

    private let url: RabbitMQURL
    var connection: AMQPConnection
    private var phase = Phase.greeting
    private var expected = Queue<Reply>()
    private var queue = ""
    private var deliveries: DeliveryReader
    /// Topics that wait for the queue.
    private var waiting: [Topic] = []
    private var confirmed: [Int: Topic] = [:]
    /// The number of topics that share a binding: those of several patterns may be the same.
    private var bindings: [QueueMethod.Binding: Int] = [:]

    private static let requests: UInt16 = 1

    init(
        _ url: RabbitMQURL, options: CommonOptions, lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) {
        self.url = url
        deliveries = DeliveryReader(limit: options.maximumMessageSize)
        connection = AMQPConnection(
            url, lane: lane, options: options,
            contents: [DeliveryReader.channel: options.maximumMessageSize], at: now,
            into: &output[lane])
    }

    var lane: Lane { connection.lane }

    private func send(_ method: AMQPMethod, into output: inout SessionOutput) {
        method.append(on: Self.requests, to: &output[lane])
    }

    // MARK: Topics

    mutating func subscribe(_ topics: [Topic], into output: inout SessionOutput) {
        guard case .open = phase else { return waiting += topics }
        for topic in topics { bind(topic, into: &output) }
    }

    private mutating func bind(_ topic: Topic, into output: inout SessionOutput) {
        deliveries.insert(topic)
        let binding = RabbitMQTopology.binding(topic, to: queue, url)
        bindings[binding, default: 0] += 1
        send(.queue(.bind(binding)), into: &output)
        expected.append(.bind(topic))
    }

    mutating func unsubscribe(_ topics: [Topic], into output: inout SessionOutput) {
        for topic in topics {
            guard confirmed.removeValue(forKey: topic.id) != nil else {
                output.append(.unsubscribed(topic: topic.id))
                continue
            }
            let binding = RabbitMQTopology.binding(topic, to: queue, url)
            if release(binding) {
                send(.queue(.unbind(binding)), into: &output)
                expected.append(.unbind(topic))
            } else {
                deliveries.remove(topic)
                output.append(.unsubscribed(topic: topic.id))
            }
        }
    }

    /// True if no topic needs the binding any more.
    private mutating func release(_ binding: QueueMethod.Binding) -> Bool {
        let count = bindings[binding] ?? 1
        bindings[binding] = count > 1 ? count - 1 : nil
        return count == 1
    }

    /// The topics of a connection that is gone.
    struct Lost: Sendable {
        /// Those that were confirmed.
        var interrupted: [Int] = []
        /// Those that were asked for and not confirmed.
        var unconfirmed: [Topic] = []
        /// Those that were to be left.
        var left: [Int] = []
    }

    mutating func takeTopics() -> Lost {
        var lost = Lost()
        lost.interrupted = confirmed.keys.sorted()
        lost.unconfirmed = waiting
        while let reply = expected.removeFirst() {
            switch reply {
            case .bind(let topic): lost.unconfirmed.append(topic)
            case .unbind(let topic): lost.left.append(topic.id)
            default: break
            }
        }
        (waiting, confirmed) = ([], [:])
        return lost
    }

    // MARK: What comes

    /// The connection is there.
    mutating func opened(into output: inout SessionOutput) {
        phase = .preparing
        deliveries.opened(frameLimit: connection.frameLimit)
        AMQPMethod.channel(.open).append(on: DeliveryReader.channel, to: &output[lane])
        openRequests(into: &output)
        let replies = RabbitMQTopology.declareExchanges(
            url, on: Self.requests, into: &output[lane])
        for reply in replies { expected.append(.exchange(reply)) }
        send(.queue(RabbitMQTopology.queue(url)), into: &output)
        expected.append(.declareQueue)
    }

    private mutating func openRequests(into output: inout SessionOutput) {
        send(.channel(.open), into: &output)
        expected.append(.openChannel)
    }

    /// Takes messages by the million from the front of the buffer.
    mutating func takeRuns(from buffer: inout ReceiveBuffer, into output: inout SessionOutput) {
        guard case .open = phase, connection.isBetweenMessages(on: DeliveryReader.channel) else {
            return
        }
        deliveries.takeRuns(from: &buffer, into: &output)
    }

    mutating func delivered(
        _ content: ContentAssembler.Content, into output: inout SessionOutput
    ) throws(ProtocolError) {
        try deliveries.take(content, into: &output)
    }

    mutating func received(
        _ method: AMQPMethod, on channel: UInt16, into output: inout SessionOutput
    ) throws(ProtocolError) -> Outcome {
        switch (channel, method) {
        case (Self.requests, .channel(.close(let close))):
            return try requestRefused(close, into: &output)
        case (Self.requests, _): try answered(method, into: &output)
        case (DeliveryReader.channel, .channel(.openOk)): break
        case (DeliveryReader.channel, .basic(.consumeOk(DeliveryReader.consumerTag))):
            consuming(into: &output)
        case (DeliveryReader.channel, .basic(.cancel)):
            // The queue was deleted, or its node has stopped: the connection goes on, and brings nothing.
            return .ended("the server has cancelled our consumer: its queue is gone")
        case (DeliveryReader.channel, .channel(.close(let close))):
            if case .open = phase { return .ended(Rejection(close).message) }
            return .refused(Rejection(close))
        default: throw unexpected("answers to what was asked on channel \(channel)", method)
        }
        return .goOn
    }

    private func unexpected(_ expected: String, _ method: AMQPMethod) -> ProtocolError {
        ProtocolError(
            reading: "AMQP answer, receiving", expected: expected, found: "method \(method.id)")
    }

    private mutating func answered(
        _ method: AMQPMethod, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch (expected.removeFirst(), method) {
        case (.openChannel, .channel(.openOk)), (.pong, .basic(.qosOk)): break
        case (.exchange(let reply), .exchange(let method)) where reply.isAnswered(by: method): break
        case (.declareQueue, .queue(.declareOk(let name, _, _))):
            queue = name
            AMQPMethod.basic(
                .consume(
                    queue: name, tag: DeliveryReader.consumerTag, [.noAck, .exclusive])
            ).append(on: DeliveryReader.channel, to: &output[lane])
        case (.bind(let topic), .queue(.bindOk)):
            deliveries.forgetNumbers(of: topic)
            confirmed[topic.id] = topic
            output.append(.subscribed(topic: topic.id))
        case (.unbind(let topic), .queue(.unbindOk)):
            deliveries.remove(topic)
            output.append(.unsubscribed(topic: topic.id))
        case (let reply?, _): throw unexpected("an answer to \(reply.name)", method)
        case (nil, _): throw unexpected("nothing, nothing was asked", method)
        }
    }

    private mutating func consuming(into output: inout SessionOutput) {
        guard case .preparing = phase else { return }
        phase = .open
        let topics = waiting
        waiting = []
        for topic in topics { bind(topic, into: &output) }
    }

    /// The server has closed the channel for requests, for the one that is not answered first: they are answered in
    /// their order. The others are asked again on a new channel.
    private mutating func requestRefused(
        _ close: AMQPClose, into output: inout SessionOutput
    ) throws(ProtocolError) -> Outcome {
        let rejection = Rejection(close)
        guard case .open = phase else { return .refused(rejection) }
        let culprit = expected.removeFirst()
        var others: [Reply] = []
        while let reply = expected.removeFirst() { others.append(reply) }
        send(.channel(.closeOk), into: &output)
        openRequests(into: &output)
        switch culprit {
        case .bind(let topic):
            if rejection.kind == .temporary {
                // An exchange that is gone is declared anew with a connection.
                waiting.append(topic)
                waiting += others.compactMap(\.boundTopic)
                return .ended(rejection.message)
            }
            _ = release(RabbitMQTopology.binding(topic, to: queue, url))
            deliveries.remove(topic)
            output.append(.subscriptionRefused(topic: topic.id, rejection))
        case .unbind(let topic):
            deliveries.remove(topic)
            output.append(.unsubscribed(topic: topic.id))
        default: throw ProtocolError("the server has closed a channel: \(rejection.message)")
        }
        for reply in others { ask(again: reply, into: &output) }
        return .goOn
    }

    private mutating func ask(again reply: Reply, into output: inout SessionOutput) {
        switch reply {
        case .bind(let topic):
            send(.queue(.bind(RabbitMQTopology.binding(topic, to: queue, url))), into: &output)
        case .unbind(let topic):
            send(.queue(.unbind(RabbitMQTopology.binding(topic, to: queue, url))), into: &output)
        case .pong: send(.basic(.qos(prefetch: 0)), into: &output)
        case .openChannel, .exchange, .declareQueue: return
        }
        expected.append(reply)
    }

    // MARK: Time

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        let mustAsk = try connection.timeReached(now, isBlocked: false, into: &output[lane])
        guard mustAsk, case .open = phase else { return }
        send(.basic(.qos(prefetch: 0)), into: &output)
        expected.append(.pong)
    }
}

extension RabbitMQSubscriber.Reply {
    fileprivate var boundTopic: Topic? {
        if case .bind(let topic) = self { topic } else { nil }
    }

    fileprivate var name: String {
        switch self {
        case .openChannel: "channel.open"
        case .exchange(.declared): "exchange.declare"
        case .exchange(.bound): "exchange.bind"
        case .declareQueue: "queue.declare"
        case .bind: "queue.bind"
        case .unbind: "queue.unbind"
        case .pong: "basic.qos"
        }
    }
}
