/// The hexadecimal digits of these bytes.
func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// The bytes that these hexadecimal digits mean.
func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.utf8.count, by: 2).map { start in
        UInt8(hex.dropFirst(start).prefix(2), radix: 16) ?? 0
    }
}
