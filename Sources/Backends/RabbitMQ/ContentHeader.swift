package import BroadcasterWire

/// The header of a message: how many bytes follow, and what its publisher said of it (§4.2.6.1).
package struct ContentHeader: Hashable, Sendable {
    package let bodySize: Int
    package let headers: AMQPTable
    package let messageID: [UInt8]?

    /// The flags of the properties, the first in the highest bit. The others are passed over.
    static let headersFlag: UInt16 = 0x2000
    static let deliveryModeFlag: UInt16 = 0x1000
    static let messageIDFlag: UInt16 = 0x0080

    /// The kinds of the properties, in the order of their flags.
    private enum Property {
        case short, table, byte, time
    }

    private static let properties: [(flag: UInt16, kind: Property)] = [
        (0x8000, .short), (0x4000, .short), (headersFlag, .table), (deliveryModeFlag, .byte),
        (0x0800, .byte), (0x0400, .short), (0x0200, .short), (0x0100, .short),
        (messageIDFlag, .short), (0x0040, .time), (0x0020, .short), (0x0010, .short),
        (0x0008, .short), (0x0004, .short),
    ]

    package init(_ payload: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = AMQPReader(payload, reading: "AMQP content header")
        let classID = try reader.uint16()
        guard classID == 60 else { throw reader.error(expected: "class 60", found: "\(classID)") }
        _ = try reader.uint16()
        let size = try reader.uint64()
        guard let bodySize = Int(exactly: size) else {
            throw reader.error(expected: "a size of 63 bits", found: "\(size)")
        }
        self.bodySize = bodySize
        let flags = try reader.uint16()
        // The lowest bit announces more flags, for which there are no properties.
        guard flags & 0x0003 == 0 else {
            throw reader.error(expected: "flags of known properties", found: "\(flags)")
        }
        var (headers, messageID): (AMQPTable, [UInt8]?) = (AMQPTable(), nil)
        for (flag, kind) in ContentHeader.properties where flags & flag != 0 {
            switch kind {
            case .short where flag == ContentHeader.messageIDFlag: messageID = try reader.short()
            case .short: _ = try reader.short()
            case .table: headers = try reader.table()
            case .byte: _ = try reader.byte()
            case .time: _ = try reader.uint64()
            }
        }
        try reader.finish()
        (self.headers, self.messageID) = (headers, messageID)
    }
}
