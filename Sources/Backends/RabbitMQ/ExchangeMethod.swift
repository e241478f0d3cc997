import BroadcasterWire

/// The methods of class `exchange` that are needed here.
package enum ExchangeMethod: Hashable, Sendable {
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let passive = Flags(rawValue: 1)
        package static let durable = Flags(rawValue: 2)
    }

    case declare(String, type: String, Flags, AMQPTable = AMQPTable())
    case declareOk
    /// RabbitMQ's own: what `source` gets with this key goes on to `destination`.
    case bind(destination: String, source: String, key: String)
    case bindOk

    package var id: AMQPMethod.ID {
        let number: UInt16 =
            switch self {
            case .declare: 10
            case .declareOk: 11
            case .bind: 30
            case .bindOk: 31
            }
        return AMQPMethod.ID(40, number)
    }

    init(_ id: AMQPMethod.ID, _ reader: inout AMQPReader) throws(ProtocolError) {
        switch id.methodID {
        case 10:
            _ = try reader.uint16()
            self = .declare(
                try reader.shortText(), type: try reader.shortText(),
                Flags(rawValue: try reader.byte()), try reader.table())
        case 11: self = .declareOk
        case 30:
            _ = try reader.uint16()
            self = .bind(
                destination: try reader.shortText(), source: try reader.shortText(),
                key: try reader.shortText())
            _ = try reader.byte()
            _ = try reader.table()
        case 31: self = .bindOk
        default: throw AMQPMethod.unknown(id)
        }
    }

    func append(to body: inout [UInt8]) {
        switch self {
        case .declare(let name, let type, let flags, let arguments):
            body.appendUInt16(0)
            body.appendShort(name)
            body.appendShort(type)
            body.append(flags.rawValue)
            arguments.append(to: &body)
        case .bind(let destination, let source, let key):
            body.appendUInt16(0)
            body.appendShort(destination)
            body.appendShort(source)
            body.appendShort(key)
            body.append(0)
            AMQPTable().append(to: &body)
        case .declareOk, .bindOk: break
        }
    }
}
