/// HMAC-SHA-256 (RFC 2104) under one key, both halves of which are hashed once.
package struct HMAC: Sendable {
    private var inner = SHA256State()
    private var outer = SHA256State()

    package init(key: [UInt8]) {
        var key = key.count > 64 ? SHA256.digest(key) : key
        key += repeatElement(0, count: 64 - key.count)
        inner.compress(SHA256Block(key.map { $0 ^ 0x36 }[...]))
        outer.compress(SHA256Block(key.map { $0 ^ 0x5c }[...]))
    }

    /// Thirty-two bytes.
    package func authenticate(_ message: [UInt8]) -> [UInt8] {
        state(for: message).bytes
    }

    func state(for message: [UInt8]) -> SHA256State {
        var state = inner
        SHA256.absorb(message, after: 64, into: &state)
        return finish(state)
    }

    /// Authenticates a message that is a digest: two compressions, and no array.
    func state(for digest: SHA256State) -> SHA256State {
        var state = inner
        state.compress(SHA256Block(digest: digest))
        return finish(state)
    }

    private func finish(_ digest: SHA256State) -> SHA256State {
        var state = outer
        state.compress(SHA256Block(digest: digest))
        return state
    }
}
