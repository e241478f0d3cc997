import BroadcasterWire

/// A value of a field table, with the types that RabbitMQ reads and writes
/// (`rabbit_binary_parser.erl`, 3.10): they are not those of the specification's XML, see "AMQP 0-9-1 errata".
package enum AMQPValue: Hashable, Sendable {
    case boolean(Bool)
    case int8(Int8)
    case uint8(UInt8)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    /// The bits of a number with a point: none is used here.
    case float(UInt32)
    case double(UInt64)
    case decimal(scale: UInt8, UInt32)
    case text([UInt8])
    case bytes([UInt8])
    case array([AMQPValue])
    case timestamp(UInt64)
    case table(AMQPTable)
    case void

    package static func text(_ text: String) -> AMQPValue { .text(Array(text.utf8)) }

    /// The number, of any size.
    package var integer: Int64? {
        switch self {
        case .int8(let number): Int64(number)
        case .uint8(let number): Int64(number)
        case .int16(let number): Int64(number)
        case .uint16(let number): Int64(number)
        case .int32(let number): Int64(number)
        case .uint32(let number): Int64(number)
        case .int64(let number): number
        default: nil
        }
    }

    package var string: String? {
        if case .text(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    init(_ reader: inout AMQPReader, depth: Int) throws(ProtocolError) {
        let type = try reader.byte()
        switch Unicode.Scalar(type) {
        case "t": self = .boolean(try reader.byte() != 0)
        case "b": self = .int8(Int8(bitPattern: try reader.byte()))
        case "B": self = .uint8(try reader.byte())
        case "s": self = .int16(Int16(bitPattern: try reader.uint16()))
        case "u": self = .uint16(try reader.uint16())
        case "I": self = .int32(Int32(bitPattern: try reader.uint32()))
        case "i": self = .uint32(try reader.uint32())
        case "l": self = .int64(Int64(bitPattern: try reader.uint64()))
        case "f": self = .float(try reader.uint32())
        case "d": self = .double(try reader.uint64())
        case "D": self = .decimal(scale: try reader.byte(), try reader.uint32())
        case "S": self = .text(try reader.long())
        case "x": self = .bytes(try reader.long())
        case "A": self = .array(try AMQPValue.array(&reader, depth: depth))
        case "T": self = .timestamp(try reader.uint64())
        case "F": self = .table(try AMQPTable(&reader, depth: depth))
        case "V": self = .void
        default:
            throw reader.error(
                expected: "a type of a field's value", found: ProtocolError.show(type))
        }
    }

    private static func array(
        _ reader: inout AMQPReader, depth: Int
    ) throws(ProtocolError) -> [AMQPValue] {
        var inner = try reader.nested("AMQP field array")
        guard depth < AMQPTable.depthLimit else {
            throw inner.error(expected: "at most \(AMQPTable.depthLimit) levels", found: "more")
        }
        var values: [AMQPValue] = []
        while inner.remaining > 0 { values.append(try AMQPValue(&inner, depth: depth + 1)) }
        return values
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(type)
        switch self {
        case .boolean(let flag): bytes.append(flag ? 1 : 0)
        case .int8(let number): bytes.append(UInt8(bitPattern: number))
        case .uint8(let number): bytes.append(number)
        case .int16(let number): bytes.appendUInt16(UInt16(bitPattern: number))
        case .uint16(let number): bytes.appendUInt16(number)
        case .int32(let number): bytes.appendUInt32(UInt32(bitPattern: number))
        case .uint32(let number), .float(let number): bytes.appendUInt32(number)
        case .int64(let number): bytes.appendUInt64(UInt64(bitPattern: number))
        case .double(let number), .timestamp(let number): bytes.appendUInt64(number)
        case .decimal(let scale, let number):
            bytes.append(scale)
            bytes.appendUInt32(number)
        case .text(let text), .bytes(let text): bytes.appendLong(text)
        case .array(let values):
            let start = bytes.count
            bytes.appendUInt32(0)
            for value in values { value.append(to: &bytes) }
            bytes.patchLength(at: start)
        case .table(let table): table.append(to: &bytes)
        case .void: break
        }
    }

    private var type: UInt8 {
        let letter: Unicode.Scalar =
            switch self {
            case .boolean: "t"
            case .int8: "b"
            case .uint8: "B"
            case .int16: "s"
            case .uint16: "u"
            case .int32: "I"
            case .uint32: "i"
            case .int64: "l"
            case .float: "f"
            case .double: "d"
            case .decimal: "D"
            case .text: "S"
            case .bytes: "x"
            case .array: "A"
            case .timestamp: "T"
            case .table: "F"
            case .void: "V"
            }
        return UInt8(ascii: letter)
    }
}
