/// PBKDF2 with HMAC-SHA-256 or HMAC-SHA-512 (RFC 8018 §5.2), one block of 32 or 64 bytes, which is all that SCRAM takes.
///
/// The caller does the work in slices, so that a server that asks for 100,000 rounds does not stop an event loop.
package struct PBKDF2: Sendable {
    private let hmac: HMAC
    private var last: SHA256State
    private var sum: SHA256State
    /// The same for SHA-512, in place of the three above.
    private var long: (hmac: HMAC512, last: [UInt8], sum: [UInt8])?
    /// The number of rounds still to do.
    package private(set) var remaining: Int

    /// - Parameter iterations: at least 1.
    package init(
        password: [UInt8], salt: [UInt8], iterations: Int, block: UInt8 = 1,
        hash: SCRAMHash = .sha256
    ) {
        hmac = HMAC(key: password)
        last = hmac.state(for: salt + [0, 0, 0, block])
        sum = last
        remaining = max(iterations, 1) - 1
        if hash == .sha512 {
            let hmac = HMAC512(key: password)
            let first = hmac.authenticate(salt + [0, 0, 0, block])
            long = (hmac, first, first)
        }
    }

    /// Does at most `rounds` rounds. Returns the key after the last one.
    package mutating func work(rounds: Int) -> [UInt8]? {
        if long != nil { return workLong(rounds: rounds) }
        for _ in 0..<min(rounds, remaining) {
            last = hmac.state(for: last)
            sum.a ^= last.a
            sum.b ^= last.b
            sum.c ^= last.c
            sum.d ^= last.d
            sum.e ^= last.e
            sum.f ^= last.f
            sum.g ^= last.g
            sum.h ^= last.h
        }
        remaining -= min(rounds, remaining)
        return remaining == 0 ? sum.bytes : nil
    }

    private mutating func workLong(rounds: Int) -> [UInt8]? {
        guard let hmac = long?.hmac, var last = long?.last, var sum = long?.sum else { return nil }
        for _ in 0..<min(rounds, remaining) {
            last = hmac.authenticate(last)
            for index in sum.indices { sum[index] ^= last[index] }
        }
        remaining -= min(rounds, remaining)
        long = (hmac, last, sum)
        return remaining == 0 ? sum : nil
    }
}
