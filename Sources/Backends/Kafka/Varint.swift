/// The numbers inside of records: zigzag, seven bits a byte, the lowest first (`ByteUtils.writeVarint` of Kafka).
package enum Varint {
    /// The most bytes of a number of 32 bits, and of one of 64 bits.
    private static let longest32 = 5
    private static let longest64 = 10

    package static func append(_ number: Int64, to bytes: inout [UInt8]) {
        var rest = UInt64(bitPattern: (number << 1) ^ (number >> 63))
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// The number of bytes that `number` takes.
    package static func size(_ number: Int64) -> Int {
        let rest = UInt64(bitPattern: (number << 1) ^ (number >> 63))
        return max((64 - rest.leadingZeroBitCount + 6) / 7, 1)
    }

    /// Reads a number of 32 bits at `place`, before `end`; nil where there is none, or a longer one.
    static func int32(_ bytes: Span<UInt8>, at place: inout Int, before end: Int) -> Int? {
        // Most lengths and deltas have one byte.
        if place < end, bytes[place] < 0x80 {
            let byte = Int(bytes[place])
            place += 1
            return (byte >> 1) ^ -(byte & 1)
        }
        guard let raw = unsigned(bytes, at: &place, before: end, longest: longest32),
            raw <= UInt64(UInt32.max)
        else { return nil }
        return Int(Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1))
    }

    static func int64(_ bytes: Span<UInt8>, at place: inout Int, before end: Int) -> Int64? {
        guard let raw = unsigned(bytes, at: &place, before: end, longest: longest64) else {
            return nil
        }
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    private static func unsigned(
        _ bytes: Span<UInt8>, at place: inout Int, before end: Int, longest: Int
    ) -> UInt64? {
        var number: UInt64 = 0
        for count in 0..<longest {
            guard place < end else { return nil }
            let byte = bytes[place]
            place += 1
            // The tenth byte has room for one bit.
            if count == longest64 - 1, byte > 1 { return nil }
            number |= UInt64(byte & 0x7f) << UInt64(7 * count)
            if byte < 0x80 { return number }
        }
        return nil
    }

    /// Reads a whole array of bytes as one number of 32 bits, for tests.
    package static func int32(_ bytes: [UInt8]) -> Int? {
        var place = 0
        let number = int32(bytes.span, at: &place, before: bytes.count)
        return place == bytes.count ? number : nil
    }

    /// The same for 64 bits.
    package static func int64(_ bytes: [UInt8]) -> Int64? {
        var place = 0
        let number = int64(bytes.span, at: &place, before: bytes.count)
        return place == bytes.count ? number : nil
    }
}
