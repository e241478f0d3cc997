// The few ways in which this package adds to a byte array.

extension [UInt8] {
    /// Adds the bytes of `span` at `range`.
    package mutating func append(_ span: Span<UInt8>, _ range: Range<Int>) {
        let piece = span.extracting(range)
        append(addingCapacity: piece.count) { (tail: inout OutputSpan<UInt8>) in
            for index in piece.indices { tail.append(piece[index]) }
        }
    }

    /// Adds `number` in decimal.
    package mutating func appendDecimal(_ number: Int) {
        if (0..<10).contains(number) {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number))
        } else {
            append(contentsOf: String(number).utf8)
        }
    }

    package mutating func appendCRLF() {
        append(UInt8(ascii: "\r"))
        append(UInt8(ascii: "\n"))
    }
}
