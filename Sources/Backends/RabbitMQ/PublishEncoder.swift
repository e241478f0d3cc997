import BroadcasterWire

/// Writes messages as frames: the method, the header, the pieces of the body, without anything between. What is the same
/// for each message is written once.
struct PublishEncoder: Sendable {
    static let channel: UInt16 = 1

    private let frameLimit: Int
    /// Of the method, up to the routing key.
    private let method: [UInt8]
    /// Of the header, between the body's size and the publisher's name.
    private let properties: [UInt8]
    private let numberField: [UInt8]

    /// - Parameter frameLimit: the agreed one.
    init(exchange: String, frameLimit: Int) {
        self.frameLimit = frameLimit
        var method: [UInt8] = [0, 60, 0, 40, 0, 0]
        method.appendShort(exchange)
        self.method = method
        var properties: [UInt8] = []
        properties.appendUInt16(ContentHeader.headersFlag | ContentHeader.messageIDFlag)
        self.properties = properties
        var field: [UInt8] = []
        field.appendShort(MessageStamp.numberName)
        field.append(UInt8(ascii: "l"))
        numberField = field
    }

    private static let publisherField: [UInt8] = {
        var field: [UInt8] = []
        field.appendShort(MessageStamp.publisherName)
        field.append(UInt8(ascii: "S"))
        return field
    }()

    /// - Parameter tag: the message's id, by which it is known if it comes back.
    func append(
        _ publication: Publication, publisher: String, number: Int64, tag: UInt64,
        to bytes: inout [UInt8]
    ) {
        AMQPFrame.append(.method, on: PublishEncoder.channel, to: &bytes) { body in
            body += method
            body.appendShort(publication.channel)
            body.append(BasicMethod.PublishFlags.mandatory.rawValue)
        }
        AMQPFrame.append(.header, on: PublishEncoder.channel, to: &bytes) { header in
            header.appendUInt32(60 << 16)
            header.appendUInt64(UInt64(publication.payload.byteCount))
            header += properties
            let table = header.count
            header.appendUInt32(0)
            header += PublishEncoder.publisherField
            header.appendLong(publisher.utf8)
            header += numberField
            header.appendUInt64(UInt64(bitPattern: number))
            header.patchLength(at: table)
            let id = header.count
            header.append(0)
            header.appendDecimal(Int(truncatingIfNeeded: tag))
            header[id] = UInt8(truncatingIfNeeded: header.count - id - 1)
        }
        appendBody(publication.payload, to: &bytes)
    }

    /// Writes a mark: a message without a body, to a queue alone, by the server's default exchange.
    func append(mark name: String, to queue: String, tag: UInt64, to bytes: inout [UInt8]) {
        let method = BasicMethod.publish(exchange: "", key: Array(queue.utf8), .mandatory)
        AMQPMethod.basic(method).append(on: PublishEncoder.channel, to: &bytes)
        AMQPFrame.append(.header, on: PublishEncoder.channel, to: &bytes) { header in
            header.appendUInt32(60 << 16)
            header.appendUInt64(0)
            header += properties
            AMQPTable([StreamEntry.markName: .text(name)]).append(to: &header)
            header.appendShort(String(tag))
        }
    }

    private func appendBody(_ payload: Payload, to bytes: inout [UInt8]) {
        let size = payload.byteCount
        if size == 0 { return }
        let most = frameLimit - AMQPFrame.overhead
        if size <= most {
            return AMQPFrame.append(.body, on: PublishEncoder.channel, to: &bytes) {
                payload.append(to: &$0)
            }
        }
        let whole = payload.bytes
        for start in stride(from: 0, to: size, by: most) {
            AMQPFrame.append(.body, on: PublishEncoder.channel, to: &bytes) {
                $0 += whole[start..<min(start + most, size)]
            }
        }
    }
}
