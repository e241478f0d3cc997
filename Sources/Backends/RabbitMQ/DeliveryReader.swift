import BroadcasterWire

/// Makes messages of what the server delivers, and gaps of the holes in their publishers' numbers.
struct DeliveryReader: Sendable {
    static let channel: UInt16 = 2
    static let consumerTag = "broadcaster"

    private let limit: Int
    private var router = TopicRouter()
    private var stamps = StampLedger()
    private var scanner = DeliveryScanner()

    /// - Parameter limit: the most bytes of a message.
    init(limit: Int) {
        self.limit = limit
    }

    /// - Parameter frameLimit: the agreed one.
    mutating func opened(frameLimit: Int) {
        scanner.frameLimit = frameLimit
    }

    mutating func insert(_ topic: Topic) {
        router.insert(topic)
        scanner.forget()
    }

    mutating func remove(_ topic: Topic) {
        router.remove(topic)
        forgetNumbers(of: topic)
    }

    /// What has passed of this topic was nobody's here, so that the next number tells nothing of a hole.
    mutating func forgetNumbers(of topic: Topic) {
        scanner.forget()
        if topic.name.isPattern {
            stamps.forgetAll()
        } else {
            stamps.forget(topic.name.bytes)
        }
    }

    /// Takes whole messages from the front of the buffer: the fast way for messages by the million.
    mutating func takeRuns(from buffer: inout ReceiveBuffer, into output: inout SessionOutput) {
        let received = buffer.bytes
        let end = scanner.scan(
            received.span, from: buffer.start, limit: limit, router: router, stamps: &stamps,
            into: &output)
        buffer.consume(upTo: end)
    }

    /// Takes any message.
    mutating func take(
        _ content: ContentAssembler.Content, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard case .deliver(let tag, _, _, _, let key) = content.method,
            tag == DeliveryReader.consumerTag
        else {
            throw ProtocolError(
                reading: "AMQP, receiving", expected: "messages of our consumer",
                found: "method \(AMQPMethod.basic(content.method).id) of another one")
        }
        let targets = router.targets(of: key)
        // Of a channel that nobody here wants any more, the numbers are not followed either.
        if targets.isEmpty { return }
        if let stamp = MessageStamp(content.header.headers) {
            scanner.forget()
            let missing = stamps.missing(before: stamp, on: key)
            if missing > 0 { DeliveryReader.report(missing, to: targets, into: &output) }
        }
        for target in targets {
            guard let body = content.body else {
                output.append(
                    .tooLong(content.header.bodySize, limit: limit, topic: target.topic))
                continue
            }
            output.append(
                messageIn: body.span, at: body.indices, topic: target.topic, origin: target.origin)
        }
    }

    static func report(
        _ missing: Int, to targets: [TopicRouter.Target], into output: inout SessionOutput
    ) {
        for target in targets {
            output.append(
                .dropped(
                    topic: target.topic, count: missing,
                    "the server's queue for this process was full (max_length)"))
        }
    }
}
