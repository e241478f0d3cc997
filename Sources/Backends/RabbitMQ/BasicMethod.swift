import BroadcasterWire

/// The methods of class `basic` that are needed here.
package enum BasicMethod: Hashable, Sendable {
    package struct ConsumeFlags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let noAck = ConsumeFlags(rawValue: 2)
        package static let exclusive = ConsumeFlags(rawValue: 4)
    }

    package struct PublishFlags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// A message for which there is no queue comes back.
        package static let mandatory = PublishFlags(rawValue: 1)
    }

    case qos(prefetch: UInt16)
    case qosOk
    case consume(queue: String, tag: String, ConsumeFlags, AMQPTable = AMQPTable())
    case consumeOk(tag: String)
    case cancel(tag: String, noWait: Bool)
    case cancelOk(tag: String)
    case publish(exchange: String, key: [UInt8], PublishFlags)
    case returned(code: UInt16, text: String, exchange: String, key: [UInt8])
    case deliver(tag: String, number: UInt64, isRedelivered: Bool, exchange: String, key: [UInt8])
    case ack(UInt64, multiple: Bool)
    case nack(UInt64, multiple: Bool)

    package var id: AMQPMethod.ID {
        let number: UInt16 =
            switch self {
            case .qos: 10
            case .qosOk: 11
            case .consume: 20
            case .consumeOk: 21
            case .cancel: 30
            case .cancelOk: 31
            case .publish: 40
            case .returned: 50
            case .deliver: 60
            case .ack: 80
            case .nack: 120
            }
        return AMQPMethod.ID(60, number)
    }

    init(_ id: AMQPMethod.ID, _ reader: inout AMQPReader) throws(ProtocolError) {
        switch id.methodID {
        case 10:
            _ = try reader.uint32()
            self = .qos(prefetch: try reader.uint16())
            _ = try reader.byte()
        case 11: self = .qosOk
        case 20:
            _ = try reader.uint16()
            self = .consume(
                queue: try reader.shortText(), tag: try reader.shortText(),
                ConsumeFlags(rawValue: try reader.byte()), try reader.table())
        case 21: self = .consumeOk(tag: try reader.shortText())
        case 30:
            self = .cancel(tag: try reader.shortText(), noWait: try reader.byte() & 1 == 1)
        case 31: self = .cancelOk(tag: try reader.shortText())
        case 40:
            _ = try reader.uint16()
            self = .publish(
                exchange: try reader.shortText(), key: try reader.short(),
                PublishFlags(rawValue: try reader.byte()))
        case 50:
            self = .returned(
                code: try reader.uint16(), text: try reader.shortText(),
                exchange: try reader.shortText(), key: try reader.short())
        case 60:
            self = .deliver(
                tag: try reader.shortText(), number: try reader.uint64(),
                isRedelivered: try reader.byte() & 1 == 1, exchange: try reader.shortText(),
                key: try reader.short())
        case 80: self = .ack(try reader.uint64(), multiple: try reader.byte() & 1 == 1)
        case 120: self = .nack(try reader.uint64(), multiple: try reader.byte() & 1 == 1)
        default: throw AMQPMethod.unknown(id)
        }
    }

    func append(to body: inout [UInt8]) {
        switch self {
        case .qos(let prefetch):
            body.appendUInt32(0)
            body.appendUInt16(prefetch)
            body.append(0)
        case .consume(let queue, let tag, let flags, let arguments):
            body.appendUInt16(0)
            body.appendShort(queue)
            body.appendShort(tag)
            body.append(flags.rawValue)
            arguments.append(to: &body)
        case .consumeOk(let tag), .cancelOk(let tag): body.appendShort(tag)
        case .cancel(let tag, let noWait):
            body.appendShort(tag)
            body.append(noWait ? 1 : 0)
        case .publish(let exchange, let key, let flags):
            body.appendUInt16(0)
            body.appendShort(exchange)
            body.appendShort(key)
            body.append(flags.rawValue)
        case .returned(let code, let text, let exchange, let key):
            body.appendUInt16(code)
            body.appendShort(text)
            body.appendShort(exchange)
            body.appendShort(key)
        case .deliver(let tag, let number, let isRedelivered, let exchange, let key):
            body.appendShort(tag)
            body.appendUInt64(number)
            body.append(isRedelivered ? 1 : 0)
            body.appendShort(exchange)
            body.appendShort(key)
        case .ack(let number, let multiple):
            body.appendUInt64(number)
            body.append(multiple ? 1 : 0)
        case .nack(let number, let multiple):
            body.appendUInt64(number)
            // The server sets the second bit, requeue, which says nothing to a publisher.
            body.append(multiple ? 3 : 2)
        case .qosOk: break
        }
    }
}
