package import BroadcasterWire

/// InitProducerId, version 1, without transactions.
package struct ProducerIdMessage: Sendable {
    package let throttle: Int32
    package let error: KafkaError
    package let identity: ProducerIdentity

    static func append(to bytes: inout [UInt8]) {
        bytes.appendString(nil)
        bytes.appendInt32(.max)
    }

    package init(_ reader: inout FrameReader) throws(ProtocolError) {
        throttle = try reader.int32()
        error = KafkaError(code: try reader.int16())
        identity = ProducerIdentity(id: try reader.int64(), epoch: try reader.int16())
    }
}

/// The name under which a broker recognises what it has had before.
package struct ProducerIdentity: Hashable, Sendable {
    package let id: Int64
    package let epoch: Int16

    package init(id: Int64, epoch: Int16) {
        self.id = id
        self.epoch = epoch
    }

    /// A producer that no broker recognises.
    package static let none = ProducerIdentity(id: -1, epoch: -1)
}
