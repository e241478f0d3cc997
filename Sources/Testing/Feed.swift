/// The ways in which the same bytes can arrive. A decoder must not distinguish them.
package enum Feed: CaseIterable, Sendable {
    case whole
    case byteByByte
    case halves
    case randomPieces

    /// The pieces that `bytes` arrive in.
    package func pieces(of bytes: [UInt8], seed: UInt64 = 1) -> [[UInt8]] {
        switch self {
        case .whole: return [bytes]
        case .byteByByte: return bytes.map { [$0] }
        case .halves:
            let middle = bytes.count / 2
            return [Array(bytes[..<middle]), Array(bytes[middle...])]
        case .randomPieces:
            var random = SeededRandom(seed: seed)
            var rest = bytes[...]
            var pieces: [[UInt8]] = []
            while !rest.isEmpty {
                let count = min(Int.random(in: 1...7, using: &random), rest.count)
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            return pieces
        }
    }
}
