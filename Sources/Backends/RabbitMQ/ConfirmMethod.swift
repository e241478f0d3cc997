import BroadcasterWire

/// The methods of class `confirm`, which is RabbitMQ's own: the server answers each message.
package enum ConfirmMethod: UInt16, Hashable, Sendable {
    case select = 10
    case selectOk = 11

    package var id: AMQPMethod.ID { AMQPMethod.ID(85, rawValue) }

    init(_ id: AMQPMethod.ID, _ reader: inout AMQPReader) throws(ProtocolError) {
        guard let method = ConfirmMethod(rawValue: id.methodID) else {
            throw AMQPMethod.unknown(id)
        }
        self = method
        if method == .select { _ = try reader.byte() }
    }

    func append(to body: inout [UInt8]) {
        if self == .select { body.append(0) }
    }
}
