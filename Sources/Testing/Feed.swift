/// The ways in which the same bytes can arrive. A decoder must not distinguish them.
public enum Feed: CaseIterable, Sendable {
    /// All at once.
    case whole
    /// Each byte alone.
    case byteByByte
    /// In two pieces.
    case halves
    /// In pieces of 1 to 7 bytes, by chance.
    case randomPieces

    /// The pieces that `bytes` arrive in.
    ///
    /// - Parameters:
    ///   - bytes: all that arrives.
    ///   - seed: decides the sizes by chance: the same for the same seed.
    public func pieces(of bytes: [UInt8], seed: UInt64 = 1) -> [[UInt8]] {
        switch self {
        case .whole: return [bytes]
        case .byteByByte: return bytes.map { [$0] }
        case .halves:
            let middle = bytes.count / 2
            return [Array(bytes[..<middle]), Array(bytes[middle...])]
        case .randomPieces:
            var chance = seed
            var rest = bytes[...]
            var pieces: [[UInt8]] = []
            while !rest.isEmpty {
                // Knuth's MMIX generator: its high bits are the good ones.
                chance = chance &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let count = min(1 + Int(chance >> 33) % 7, rest.count)
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            return pieces
        }
    }
}
