/// HMAC-SHA-512 (RFC 2104) under one key, both halves of which are hashed once.
package struct HMAC512: Sendable {
    private var inner = SHA512State()
    private var outer = SHA512State()

    package init(key: [UInt8]) {
        var key = key.count > 128 ? SHA512.digest(key) : key
        key += repeatElement(0, count: 128 - key.count)
        inner.compress(key.map { $0 ^ 0x36 }[...])
        outer.compress(key.map { $0 ^ 0x5c }[...])
    }

    /// Sixty-four bytes.
    package func authenticate(_ message: [UInt8]) -> [UInt8] {
        var state = inner
        SHA512.absorb(message, after: 128, into: &state)
        var end = outer
        SHA512.absorb(state.bytes, after: 128, into: &end)
        return end.bytes
    }
}
