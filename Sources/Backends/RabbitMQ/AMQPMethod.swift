package import BroadcasterWire

/// A method of AMQP 0-9-1, of the client's or the server's: the content of a frame of type 1.
///
/// Each class of the specification has its own file, both directions in it, so that a test can read what we write.
package enum AMQPMethod: Hashable, Sendable {
    case connection(ConnectionMethod)
    case channel(ChannelMethod)
    case exchange(ExchangeMethod)
    case queue(QueueMethod)
    case basic(BasicMethod)
    case confirm(ConfirmMethod)

    /// The two numbers that name a method.
    package struct ID: Hashable, Sendable, CustomStringConvertible {
        package let classID: UInt16
        package let methodID: UInt16

        package init(_ classID: UInt16, _ methodID: UInt16) {
            self.classID = classID
            self.methodID = methodID
        }

        package var description: String { "\(classID),\(methodID)" }
    }

    /// Decodes the payload of a method's frame.
    package init(_ payload: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = AMQPReader(payload, reading: "AMQP method")
        let id = ID(try reader.uint16(), try reader.uint16())
        reader = AMQPReader(payload.dropFirst(4), reading: "AMQP method \(id)")
        switch id.classID {
        case 10: self = .connection(try ConnectionMethod(id, &reader))
        case 20: self = .channel(try ChannelMethod(id, &reader))
        case 40: self = .exchange(try ExchangeMethod(id, &reader))
        case 50: self = .queue(try QueueMethod(id, &reader))
        case 60: self = .basic(try BasicMethod(id, &reader))
        case 85: self = .confirm(try ConfirmMethod(id, &reader))
        default: throw AMQPMethod.unknown(id)
        }
        try reader.finish()
    }

    static func unknown(_ id: ID) -> ProtocolError {
        ProtocolError(reading: "AMQP method", expected: "a known one", found: "\(id)")
    }

    package var id: ID {
        switch self {
        case .connection(let method): method.id
        case .channel(let method): method.id
        case .exchange(let method): method.id
        case .queue(let method): method.id
        case .basic(let method): method.id
        case .confirm(let method): method.id
        }
    }

    /// Appends the method as a frame.
    package func append(on channel: UInt16, to bytes: inout [UInt8]) {
        AMQPFrame.append(.method, on: channel, to: &bytes) { body in
            body.appendUInt16(id.classID)
            body.appendUInt16(id.methodID)
            switch self {
            case .connection(let method): method.append(to: &body)
            case .channel(let method): method.append(to: &body)
            case .exchange(let method): method.append(to: &body)
            case .queue(let method): method.append(to: &body)
            case .basic(let method): method.append(to: &body)
            case .confirm(let method): method.append(to: &body)
            }
        }
    }
}

/// The end of a connection or a channel, in the words of the one that ends it.
package struct AMQPClose: Hashable, Sendable {
    package let code: UInt16
    package let text: String
    /// The method that was at fault; 0,0 where none was.
    package let cause: AMQPMethod.ID

    package init(code: UInt16, text: String, cause: AMQPMethod.ID = .init(0, 0)) {
        self.code = code
        self.text = text
        self.cause = cause
    }

    /// An end without a fault.
    static let goodbye = AMQPClose(code: 200, text: "bye")

    init(_ reader: inout AMQPReader) throws(ProtocolError) {
        code = try reader.uint16()
        text = try reader.shortText()
        cause = AMQPMethod.ID(try reader.uint16(), try reader.uint16())
    }

    func append(to body: inout [UInt8]) {
        body.appendUInt16(code)
        body.appendShort(text)
        body.appendUInt16(cause.classID)
        body.appendUInt16(cause.methodID)
    }
}
