/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    /// Thirty-two bytes.
    package static func digest(_ message: [UInt8]) -> [UInt8] {
        var state = SHA256State()
        absorb(message, after: 0, into: &state)
        return state.bytes
    }

    /// Absorbs the rest of a message, of which `before` bytes were absorbed before, and ends it.
    static func absorb(_ message: [UInt8], after before: Int, into state: inout SHA256State) {
        var padded = message + [0x80]
        padded += repeatElement(0, count: (119 - message.count % 64) % 64)
        let bits = UInt64(before + message.count) &* 8
        padded += (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }
        for start in stride(from: 0, to: padded.count, by: 64) {
            state.compress(SHA256Block(padded[start..<start + 64]))
        }
    }
}
