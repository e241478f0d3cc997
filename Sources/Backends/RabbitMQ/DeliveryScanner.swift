import BroadcasterWire

/// Recognises whole messages in the receive buffer without building values of them.
///
/// It exists for the same reason as `MessageScanner` of Redis: a busy subscriber receives nothing else. It takes a message
/// whose three frames are there, that is no longer than the limit and fits one body frame, and that has no headers or those
/// of our own publishers; it leaves all else, faults included, to `AMQPConnection`. It remembers what is the same in
/// the next message of a busy channel: the method around the delivery tag, and the publisher.
struct DeliveryScanner: Sendable {
    /// The frame of basic.deliver before its delivery tag.
    private var head: [UInt8] = []
    /// The same frame behind the delivery tag and the flag for redelivery.
    private var tail: [UInt8] = []
    private var key: [UInt8] = []
    private var targets: [TopicRouter.Target] = []
    /// The last number that the ledger noted was of the channel that is remembered.
    private var hasPublisher = false

    /// A delivery tag and a flag.
    private static let variableSize = 9
    private static let method: [UInt8] = {
        var bytes: [UInt8] = [0, 60, 0, 60]
        bytes.appendShort(DeliveryReader.consumerTag)
        return bytes
    }()

    /// The header field of the publisher's name, up to its length; and that of the number.
    private static let publisherField: [UInt8] = {
        var field: [UInt8] = []
        field.appendShort(MessageStamp.publisherName)
        field.append(UInt8(ascii: "S"))
        return field
    }()
    private static let numberField: [UInt8] = {
        var field: [UInt8] = []
        field.appendShort(MessageStamp.numberName)
        field.append(UInt8(ascii: "l"))
        return field
    }()

    /// The agreed limit of a frame.
    var frameLimit = AMQPFrame.usualLimit

    private let publisherField = DeliveryScanner.publisherField
    private let numberField = DeliveryScanner.numberField

    /// A message in the buffer: its content, its stamp, and where it ends.
    private struct Found {
        let payload: Range<Int>
        let publisher: Range<Int>?
        let number: Int64
        let end: Int
    }

    /// Forgets the last channel: the topics have changed.
    mutating func forget() {
        head = []
        hasPublisher = false
    }

    /// Takes all such messages of `bytes` from `start` on. Returns the start of the rest.
    mutating func scan(
        _ bytes: Span<UInt8>, from start: Int, limit: Int, router: TopicRouter,
        stamps: inout StampLedger, into output: inout SessionOutput
    ) -> Int {
        var position = start
        while let content = passMethod(bytes, position, router),
            let found = find(bytes, content, limit)
        {
            if let publisher = found.publisher {
                let missing = note(bytes, publisher, found.number, &stamps)
                if missing > 0 { DeliveryReader.report(missing, to: targets, into: &output) }
            }
            for target in targets {
                output.append(
                    messageIn: bytes, at: found.payload, topic: target.topic,
                    origin: target.origin)
            }
            position = found.end
        }
        return position
    }

    private mutating func note(
        _ bytes: Span<UInt8>, _ publisher: Range<Int>, _ number: Int64, _ stamps: inout StampLedger
    ) -> Int {
        if targets.isEmpty { return 0 }
        let name = bytes.extracting(publisher)
        if let missing = stamps.missing(before: number, of: name, isSameChannel: hasPublisher) {
            return missing
        }
        var copy: [UInt8] = []
        copy.append(bytes, publisher)
        hasPublisher = true
        return stamps.missing(before: MessageStamp(publisher: copy, number: number), on: key)
    }

    // MARK: The method

    /// Returns the place behind the basic.deliver at `start`, if it is there.
    private mutating func passMethod(
        _ bytes: Span<UInt8>, _ start: Int, _ router: TopicRouter
    ) -> Int? {
        if !head.isEmpty, bytes.holds(head.span, at: start) {
            let rest = start + head.count + DeliveryScanner.variableSize
            if bytes.holds(tail.span, at: rest) { return rest + tail.count }
        }
        return readMethod(bytes, start, router)
    }

    /// Remembers the method at `start`.
    private mutating func readMethod(
        _ bytes: Span<UInt8>, _ start: Int, _ router: TopicRouter
    ) -> Int? {
        guard let frame = frame(.method, bytes, start),
            bytes.holds(DeliveryScanner.method.span, at: frame.lowerBound)
        else { return nil }
        let tag = frame.lowerBound + DeliveryScanner.method.count
        let exchange = tag + DeliveryScanner.variableSize
        guard let name = short(bytes, exchange, within: frame),
            let key = short(bytes, name.upperBound, within: frame),
            key.upperBound == frame.upperBound
        else { return nil }
        head.removeAll(keepingCapacity: true)
        head.append(bytes, start..<tag)
        tail.removeAll(keepingCapacity: true)
        tail.append(bytes, exchange..<frame.upperBound + 1)
        self.key.removeAll(keepingCapacity: true)
        self.key.append(bytes, key)
        targets = router.targets(of: self.key)
        hasPublisher = false
        return frame.upperBound + 1
    }

    // MARK: The content

    private func find(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Found? {
        // class (2), weight (2), size (8), flags (2)
        guard let header = frame(.header, bytes, start), header.count >= 14,
            bytes[header.lowerBound] == 0, bytes[header.lowerBound + 1] == 60
        else { return nil }
        let size = integer(bytes, header.lowerBound + 4)
        guard size >= 0, size <= Int64(limit),
            let stamp = stamp(bytes, header.lowerBound + 12, within: header)
        else { return nil }
        var payload = header.upperBound..<header.upperBound
        var end = header.upperBound + 1
        if size > 0 {
            guard let body = frame(.body, bytes, end), body.count == Int(size) else { return nil }
            payload = body
            end = body.upperBound + 1
        }
        return Found(payload: payload, publisher: stamp.publisher, number: stamp.number, end: end)
    }

    /// Reads the properties at `flags`: none, or those of our publishers. nil for all others.
    private func stamp(
        _ bytes: Span<UInt8>, _ start: Int, within header: Range<Int>
    ) -> (publisher: Range<Int>?, number: Int64)? {
        let flags = UInt16(bytes[start]) << 8 | UInt16(bytes[start + 1])
        if flags == 0 { return start + 2 == header.upperBound ? (nil, 0) : nil }
        guard flags == ContentHeader.headersFlag | ContentHeader.messageIDFlag else { return nil }
        let name = start + 6 + publisherField.count
        guard bytes.holds(publisherField.span, at: start + 6), name + 4 <= header.upperBound,
            let length = Int(exactly: word(bytes, name)), length <= MessageStamp.longestPublisher
        else { return nil }
        let field = name + 4 + length
        let number = field + numberField.count
        // The table ends with the number, and the header with the message-id.
        guard bytes.holds(numberField.span, at: field), number + 8 < header.upperBound,
            number + 8 == start + 6 + Int(word(bytes, start + 2)),
            short(bytes, number + 8, within: header)?.upperBound == header.upperBound
        else { return nil }
        return (name + 4..<field, integer(bytes, number))
    }

    // MARK: Fields

    /// Returns the payload of the frame at `start`, if it is of this kind, on the channel of deliveries, and whole.
    private func frame(
        _ kind: AMQPFrame.Kind, _ bytes: Span<UInt8>, _ start: Int
    ) -> Range<Int>? {
        guard bytes.count - start >= AMQPFrame.overhead, bytes[start] == kind.rawValue,
            bytes[start + 1] == 0, bytes[start + 2] == UInt8(DeliveryReader.channel)
        else { return nil }
        let length = Int(word(bytes, start + 3))
        let end = start + AMQPFrame.headSize + length
        guard length <= frameLimit - AMQPFrame.overhead, end < bytes.count,
            bytes[end] == AMQPFrame.endOctet
        else { return nil }
        return start + AMQPFrame.headSize..<end
    }

    /// Returns the text whose length is at `start`.
    private func short(
        _ bytes: Span<UInt8>, _ start: Int, within frame: Range<Int>
    ) -> Range<Int>? {
        guard start < frame.upperBound else { return nil }
        let end = start + 1 + Int(bytes[start])
        return end <= frame.upperBound ? start + 1..<end : nil
    }

    private func word(_ bytes: Span<UInt8>, _ start: Int) -> UInt32 {
        var number: UInt32 = 0
        for index in start..<start + 4 { number = number << 8 | UInt32(bytes[index]) }
        return number
    }

    private func integer(_ bytes: Span<UInt8>, _ start: Int) -> Int64 {
        Int64(bitPattern: UInt64(word(bytes, start)) << 32 | UInt64(word(bytes, start + 4)))
    }
}
