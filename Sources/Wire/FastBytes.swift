// Operations that append to, and compare, arrays of bytes.
//
// The only unsafe code outside of Sockets, each piece for a figure: see the comments. Ranges are checked before.

extension [UInt8] {
    /// Appends the bytes of `span` at `range`, in one copy: byte by byte it was a fifth of the cost of decoding.
    package mutating func append(_ span: Span<UInt8>, _ range: Range<Int>) {
        let piece = span.extracting(range)
        unsafe piece.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Makes room for `count` bytes, so that a large piece with what belongs to it makes the memory grow once.
    package mutating func makeRoom(for count: Int) {
        let needed = self.count + count
        if needed > capacity { reserveCapacity(Swift.max(needed, 2 * capacity)) }
    }

    /// Appends the four bytes of `number`, the lowest first: one check of the capacity in place of four.
    package mutating func appendLittleEndian(_ number: UInt32) {
        unsafe Swift.withUnsafeBytes(of: number.littleEndian) { unsafe append(contentsOf: $0) }
    }

    /// Appends `number` in decimal. A number that is not negative needs no `String`.
    package mutating func appendDecimal(_ number: Int) {
        guard number >= 0 else { return append(contentsOf: String(number).utf8) }
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }

    package mutating func appendCRLF() {
        unsafe Swift.withUnsafeBytes(of: UInt16(0x0a0d).littleEndian) {
            unsafe append(contentsOf: $0)
        }
    }
}

extension Span<UInt8> {
    package func isEqual(to other: Span<UInt8>) -> Bool {
        count == other.count && holds(other, at: 0)
    }

    /// Hashes all bytes at once: byte by byte it was a quarter of the cost of subscribing to many channels.
    package func hash(into hasher: inout Hasher) {
        unsafe withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }

    /// Returns true if `other` stands at `start`. Compares eight bytes at a time: a frame's head is 30 bytes, and
    /// nearly every message of a busy channel has the same one.
    package func holds(_ other: Span<UInt8>, at start: Int) -> Bool {
        let length = other.count
        guard start >= 0, length <= count - start else { return false }
        return unsafe withUnsafeBytes { mine in
            unsafe other.withUnsafeBytes { theirs in
                var offset = 0
                while offset + 8 <= length {
                    let word = unsafe mine.loadUnaligned(
                        fromByteOffset: start + offset, as: UInt64.self)
                    if unsafe word
                        != theirs.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    {
                        return false
                    }
                    offset += 8
                }
                while offset < length {
                    if unsafe mine[start + offset] != theirs[offset] { return false }
                    offset += 1
                }
                return true
            }
        }
    }
}

extension String {
    /// Does what `contains` does, which would link the engine of regular expressions: 1.4 MB of a static program.
    package func containsBytes(_ words: String) -> Bool {
        let (mine, theirs) = (utf8.span, words.utf8.span)
        var start = 0
        while start + theirs.count <= mine.count {
            if mine.holds(theirs, at: start) { return true }
            start += 1
        }
        return false
    }
}
