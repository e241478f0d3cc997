import BroadcasterWire

/// The methods of class `channel`.
package enum ChannelMethod: Hashable, Sendable {
    case open
    case openOk
    /// The server asks to stop publishing (false), or to go on.
    case flow(Bool)
    case flowOk(Bool)
    case close(AMQPClose)
    case closeOk

    package var id: AMQPMethod.ID {
        let number: UInt16 =
            switch self {
            case .open: 10
            case .openOk: 11
            case .flow: 20
            case .flowOk: 21
            case .close: 40
            case .closeOk: 41
            }
        return AMQPMethod.ID(20, number)
    }

    init(_ id: AMQPMethod.ID, _ reader: inout AMQPReader) throws(ProtocolError) {
        switch id.methodID {
        case 10:
            _ = try reader.short()
            self = .open
        case 11:
            _ = try reader.long()
            self = .openOk
        case 20: self = .flow(try reader.byte() & 1 == 1)
        case 21: self = .flowOk(try reader.byte() & 1 == 1)
        case 40: self = .close(try AMQPClose(&reader))
        case 41: self = .closeOk
        default: throw AMQPMethod.unknown(id)
        }
    }

    func append(to body: inout [UInt8]) {
        switch self {
        // A field of older versions.
        case .open: body.appendShort("")
        case .openOk: body.appendLong([])
        case .flow(let isActive), .flowOk(let isActive): body.append(isActive ? 1 : 0)
        case .close(let close): close.append(to: &body)
        case .closeOk: break
        }
    }
}
