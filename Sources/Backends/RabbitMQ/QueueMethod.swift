import BroadcasterWire

/// The methods of class `queue` that are needed here.
package enum QueueMethod: Hashable, Sendable {
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let passive = Flags(rawValue: 1)
        package static let durable = Flags(rawValue: 2)
        package static let exclusive = Flags(rawValue: 4)
        package static let autoDelete = Flags(rawValue: 8)
    }

    /// A queue's place at an exchange: what comes there with this key.
    package struct Binding: Hashable, Sendable {
        package let queue: String
        package let exchange: String
        package let key: [UInt8]

        package init(queue: String, exchange: String, key: [UInt8]) {
            self.queue = queue
            self.exchange = exchange
            self.key = key
        }

        init(_ reader: inout AMQPReader) throws(ProtocolError) {
            _ = try reader.uint16()
            queue = try reader.shortText()
            exchange = try reader.shortText()
            key = try reader.short()
        }

        func append(to body: inout [UInt8]) {
            body.appendUInt16(0)
            body.appendShort(queue)
            body.appendShort(exchange)
            body.appendShort(key)
        }
    }

    case declare(String, Flags, AMQPTable)
    case declareOk(String, messages: UInt32, consumers: UInt32)
    case bind(Binding)
    case bindOk
    case unbind(Binding)
    case unbindOk

    package var id: AMQPMethod.ID {
        let number: UInt16 =
            switch self {
            case .declare: 10
            case .declareOk: 11
            case .bind: 20
            case .bindOk: 21
            case .unbind: 50
            case .unbindOk: 51
            }
        return AMQPMethod.ID(50, number)
    }

    init(_ id: AMQPMethod.ID, _ reader: inout AMQPReader) throws(ProtocolError) {
        switch id.methodID {
        case 10:
            _ = try reader.uint16()
            self = .declare(
                try reader.shortText(), Flags(rawValue: try reader.byte()), try reader.table())
        case 11:
            self = .declareOk(
                try reader.shortText(), messages: try reader.uint32(),
                consumers: try reader.uint32())
        case 20:
            self = .bind(try Binding(&reader))
            _ = try reader.byte()
            _ = try reader.table()
        case 21: self = .bindOk
        case 50:
            self = .unbind(try Binding(&reader))
            _ = try reader.table()
        case 51: self = .unbindOk
        default: throw AMQPMethod.unknown(id)
        }
    }

    func append(to body: inout [UInt8]) {
        switch self {
        case .declare(let name, let flags, let arguments):
            body.appendUInt16(0)
            body.appendShort(name)
            body.append(flags.rawValue)
            arguments.append(to: &body)
        case .declareOk(let name, let messages, let consumers):
            body.appendShort(name)
            body.appendUInt32(messages)
            body.appendUInt32(consumers)
        case .bind(let binding):
            binding.append(to: &body)
            body.append(0)
            AMQPTable().append(to: &body)
        case .unbind(let binding):
            binding.append(to: &body)
            AMQPTable().append(to: &body)
        case .bindOk, .unbindOk: break
        }
    }
}
