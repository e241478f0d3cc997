import BroadcasterWire

/// The methods of class `connection`, which go on channel 0.
package enum ConnectionMethod: Hashable, Sendable {
    case start(major: UInt8, minor: UInt8, AMQPTable, mechanisms: String, locales: String)
    case startOk(AMQPTable, mechanism: String, response: [UInt8], locale: String)
    case secure(challenge: [UInt8])
    case secureOk(response: [UInt8])
    case tune(AMQPTuning)
    case tuneOk(AMQPTuning)
    case open(virtualHost: String)
    case openOk
    case close(AMQPClose)
    case closeOk
    /// RabbitMQ's own: the server does not read from us any more, for this reason.
    case blocked(String)
    case unblocked

    package var id: AMQPMethod.ID {
        let number: UInt16 =
            switch self {
            case .start: 10
            case .startOk: 11
            case .secure: 20
            case .secureOk: 21
            case .tune: 30
            case .tuneOk: 31
            case .open: 40
            case .openOk: 41
            case .close: 50
            case .closeOk: 51
            case .blocked: 60
            case .unblocked: 61
            }
        return AMQPMethod.ID(10, number)
    }

    init(_ id: AMQPMethod.ID, _ reader: inout AMQPReader) throws(ProtocolError) {
        switch id.methodID {
        case 10:
            self = .start(
                major: try reader.byte(), minor: try reader.byte(), try reader.table(),
                mechanisms: try reader.longText(), locales: try reader.longText())
        case 11:
            self = .startOk(
                try reader.table(), mechanism: try reader.shortText(),
                response: try reader.long(), locale: try reader.shortText())
        case 20: self = .secure(challenge: try reader.long())
        case 21: self = .secureOk(response: try reader.long())
        case 30: self = .tune(try AMQPTuning(&reader))
        case 31: self = .tuneOk(try AMQPTuning(&reader))
        case 40:
            self = .open(virtualHost: try reader.shortText())
            // Two fields of older versions.
            _ = try reader.short()
            _ = try reader.byte()
        case 41:
            _ = try reader.short()
            self = .openOk
        case 50: self = .close(try AMQPClose(&reader))
        case 51: self = .closeOk
        case 60: self = .blocked(try reader.shortText())
        case 61: self = .unblocked
        default: throw AMQPMethod.unknown(id)
        }
    }

    func append(to body: inout [UInt8]) {
        switch self {
        case .start(let major, let minor, let properties, let mechanisms, let locales):
            body.append(major)
            body.append(minor)
            properties.append(to: &body)
            body.appendLong(mechanisms.utf8)
            body.appendLong(locales.utf8)
        case .startOk(let properties, let mechanism, let response, let locale):
            properties.append(to: &body)
            body.appendShort(mechanism)
            body.appendLong(response)
            body.appendShort(locale)
        case .secure(let bytes), .secureOk(let bytes): body.appendLong(bytes)
        case .tune(let tuning), .tuneOk(let tuning): tuning.append(to: &body)
        case .open(let virtualHost):
            body.appendShort(virtualHost)
            body.appendShort("")
            body.append(0)
        case .openOk: body.appendShort("")
        case .close(let close): close.append(to: &body)
        case .blocked(let reason): body.appendShort(reason)
        case .closeOk, .unblocked: break
        }
    }
}

/// The limits of a connection, of which 0 means none.
package struct AMQPTuning: Hashable, Sendable {
    package var channels: UInt16
    package var frame: UInt32
    /// Seconds.
    package var heartbeat: UInt16

    package init(channels: UInt16, frame: UInt32, heartbeat: UInt16) {
        self.channels = channels
        self.frame = frame
        self.heartbeat = heartbeat
    }

    init(_ reader: inout AMQPReader) throws(ProtocolError) {
        channels = try reader.uint16()
        frame = try reader.uint32()
        heartbeat = try reader.uint16()
    }

    func append(to body: inout [UInt8]) {
        body.appendUInt16(channels)
        body.appendUInt32(frame)
        body.appendUInt16(heartbeat)
    }
}
