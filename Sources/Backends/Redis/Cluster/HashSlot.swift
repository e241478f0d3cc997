/// The slot of a name in a cluster, which decides what node it lives on (Redis Cluster specification, "Key distribution
/// model").
package enum HashSlot {
    package static let count = 16384

    /// The slot of a name: of its hash tag, where it has one.
    package static func of(_ name: [UInt8]) -> Int {
        Int(crc16(name[tag(in: name)])) % count
    }

    /// The bytes between the first `{` and the next `}`, where there are any; else all.
    private static func tag(in name: [UInt8]) -> Range<Int> {
        guard let open = name.firstIndex(of: UInt8(ascii: "{")),
            let close = name[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        else { return name.indices }
        return open + 1..<close
    }

    /// CRC-16/XMODEM: polynomial 0x1021, begun with zero.
    private static func crc16(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        bytes.reduce(0) { crc, byte in
            (crc << 8) ^ table[Int(UInt8(truncatingIfNeeded: crc >> 8) ^ byte)]
        }
    }

    private static let table: [UInt16] = (0..<256).map { index in
        (0..<8).reduce(UInt16(index) << 8) { crc, _ in
            crc & 0x8000 == 0 ? crc << 1 : (crc << 1) ^ 0x1021
        }
    }
}
