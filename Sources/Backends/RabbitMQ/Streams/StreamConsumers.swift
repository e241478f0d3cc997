import BroadcasterWire

/// The consumers of a connection that reads streams, by their tags, and the answers that are due for them.
///
/// RabbitMQ starts a stream's consumer beside the channel: its consume-ok may come behind answers to later requests.
struct StreamConsumers: Sendable {
    enum Consumer: Hashable, Sendable {
        /// Follows the end of a channel's stream.
        case tail(String)
        case reading(ticket: UInt64)
    }

    static let channel: UInt16 = 2

    private var consumers: [String: Consumer] = [:]
    private var tags: [Consumer: String] = [:]
    /// The offset that came last, by tag.
    private var offsets: [String: UInt64] = [:]
    private var nextTag = 1
    /// The tags whose consume-ok is due, in the order of the requests.
    private var unanswered: [String] = []
    private var prefetches = 0

    subscript(tag: String) -> Consumer? { consumers[tag] }

    func open(into bytes: inout [UInt8]) {
        AMQPMethod.channel(.open).append(on: Self.channel, to: &bytes)
    }

    /// - Parameter offset: an `x-stream-offset`.
    mutating func begin(
        _ consumer: Consumer, of queue: String, from offset: AMQPValue, prefetch: UInt16,
        into bytes: inout [UInt8]
    ) {
        let tag = String(nextTag)
        nextTag += 1
        consumers[tag] = consumer
        tags[consumer] = tag
        append(.qos(prefetch: prefetch), to: &bytes)
        append(
            .consume(queue: queue, tag: tag, [], AMQPTable(["x-stream-offset": offset])),
            to: &bytes)
        prefetches += 1
        unanswered.append(tag)
    }

    mutating func cancel(_ consumer: Consumer, into bytes: inout [UInt8]) {
        guard let tag = tags.removeValue(forKey: consumer) else { return }
        (consumers[tag], offsets[tag]) = (nil, nil)
        append(.cancel(tag: tag, noWait: true), to: &bytes)
    }

    /// Notes an entry that has come. Those of one consumer go up: a server that repeats one is not followed further.
    mutating func came(_ entry: StreamEntry, to tag: String) throws(ProtocolError) {
        if let last = offsets[tag], entry.offset <= last {
            throw ProtocolError(
                reading: "RabbitMQ stream", expected: "an offset above \(last)",
                found: "\(entry.offset)")
        }
        offsets[tag] = entry.offset
    }

    func acknowledge(upTo number: UInt64, into bytes: inout [UInt8]) {
        append(.ack(number, multiple: true), to: &bytes)
    }

    private func append(_ method: BasicMethod, to bytes: inout [UInt8]) {
        AMQPMethod.basic(method).append(on: Self.channel, to: &bytes)
    }

    /// Takes an answer. Returns the consumer that has begun, unless it is cancelled.
    mutating func answered(_ method: AMQPMethod) throws(ProtocolError) -> Consumer? {
        switch method {
        case .channel(.openOk): return nil
        case .basic(.qosOk) where prefetches > 0:
            prefetches -= 1
            return nil
        case .basic(.consumeOk(let tag)):
            guard let index = unanswered.firstIndex(of: tag) else { break }
            unanswered.remove(at: index)
            return consumers[tag]
        default: break
        }
        throw ProtocolError(
            reading: "AMQP answer, reading streams",
            expected: "answers to \(prefetches) basic.qos and \(unanswered.count) basic.consume",
            found: "method \(method.id)")
    }

    /// The consumer that the server has refused by closing the channel: the first that has no answer.
    var refused: Consumer? { unanswered.first.flatMap { consumers[$0] } }
}
