/// CRC-32C (Castagnoli; RFC 3720 appendix B.4), which covers a record batch from its attributes to its end.
package enum CRC32C {
    /// Eight tables, so that eight bytes are taken in a step ("slicing by 8"): one at a time it was half of the cost of
    /// receiving small messages.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
            tables[byte] = value
        }
        for slice in 1..<8 {
            for byte in 0..<256 {
                let before = tables[(slice - 1) * 256 + byte]
                tables[slice * 256 + byte] = tables[Int(before & 0xff)] ^ before >> 8
            }
        }
        return tables
    }()

    package static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        let array = Array(bytes)
        return checksum(array.span, 0..<array.count)
    }

    static func checksum(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32 {
        let table = tables.span
        var crc: UInt32 = 0xffff_ffff
        var place = range.lowerBound
        while place + 8 <= range.upperBound {
            let low =
                crc
                ^ (UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8
                    | UInt32(bytes[place + 2]) << 16 | UInt32(bytes[place + 3]) << 24)
            let first =
                table[1792 + Int(low & 0xff)] ^ table[1536 + Int(low >> 8 & 0xff)]
                ^ table[1280 + Int(low >> 16 & 0xff)] ^ table[1024 + Int(low >> 24)]
            let second =
                table[768 + Int(bytes[place + 4])] ^ table[512 + Int(bytes[place + 5])]
                ^ table[256 + Int(bytes[place + 6])] ^ table[Int(bytes[place + 7])]
            crc = first ^ second
            place += 8
        }
        while place < range.upperBound {
            crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ bytes[place])] ^ crc >> 8
            place += 1
        }
        return ~crc
    }
}
