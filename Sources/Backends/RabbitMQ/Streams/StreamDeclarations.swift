import BroadcasterWire

/// The channel on which streams are declared, and the answers that are due there.
struct StreamDeclarations: Sendable {
    private enum Reply: Sendable {
        case openChannel
        case exchange(RabbitMQTopology.ExchangeReply)
        case declareStream(String)
        case bindStream(String)
        case pong
    }

    static let channel: UInt16 = 1

    private let url: RabbitMQURL
    private let streams: StreamOptions
    private var expected = Queue<Reply>()

    init(_ url: RabbitMQURL, _ streams: StreamOptions) {
        self.url = url
        self.streams = streams
    }

    private mutating func send(
        _ method: AMQPMethod, for reply: Reply, into bytes: inout [UInt8]
    ) {
        method.append(on: Self.channel, to: &bytes)
        expected.append(reply)
    }

    mutating func open(into bytes: inout [UInt8]) {
        send(.channel(.open), for: .openChannel, into: &bytes)
    }

    mutating func declareExchanges(into bytes: inout [UInt8]) {
        let replies = RabbitMQTopology.declareExchanges(url, on: Self.channel, into: &bytes)
        for reply in replies { expected.append(.exchange(reply)) }
    }

    /// Declares and binds the stream of a channel.
    mutating func declare(_ channel: String, into bytes: inout [UInt8]) {
        let queue = url.stream(of: channel)
        send(.queue(streams.declaration(queue)), for: .declareStream(channel), into: &bytes)
        send(
            .queue(.bind(url.binding(toStreamOf: channel))), for: .bindStream(channel),
            into: &bytes)
    }

    /// Asks for something that costs the server nothing.
    mutating func ping(into bytes: inout [UInt8]) {
        send(.basic(.qos(prefetch: 0)), for: .pong, into: &bytes)
    }

    /// Takes an answer. Returns the channel whose stream is there with it.
    mutating func answered(_ method: AMQPMethod) throws(ProtocolError) -> String? {
        switch (expected.removeFirst(), method) {
        case (.openChannel, .channel(.openOk)), (.declareStream, .queue(.declareOk)),
            (.pong, .basic(.qosOk)):
            return nil
        case (.exchange(let reply), .exchange(let method)) where reply.isAnswered(by: method):
            return nil
        case (.bindStream(let channel), .queue(.bindOk)): return channel
        case (let reply, _):
            throw ProtocolError(
                reading: "AMQP answer, declaring streams",
                expected: reply.map { "an answer to \($0)" } ?? "nothing, nothing was asked",
                found: "method \(method.id)")
        }
    }

    /// Answers that the server has closed the channel, for the request that is not answered first.
    ///
    /// - Returns: the channel whose stream was refused, if that was it, and those that are to be declared again.
    mutating func closed(into bytes: inout [UInt8]) -> (culprit: String?, others: [String]) {
        AMQPMethod.channel(.closeOk).append(on: Self.channel, to: &bytes)
        var culprit: String?
        switch expected.removeFirst() {
        case .declareStream(let channel), .bindStream(let channel): culprit = channel
        default: break
        }
        var others: [String] = []
        while let reply = expected.removeFirst() {
            if case .bindStream(let channel) = reply, channel != culprit { others.append(channel) }
        }
        return (culprit, others)
    }
}
