/// Sixteen words of a message.
struct SHA256Block: Hashable, Sendable {
    var w0, w1, w2, w3, w4, w5, w6, w7: UInt32
    var w8, w9, w10, w11, w12, w13, w14, w15: UInt32

    /// Reads the words from 64 bytes.
    init(_ bytes: ArraySlice<UInt8>) {
        func word(_ index: Int) -> UInt32 {
            let start = bytes.startIndex + 4 * index
            return bytes[start..<start + 4].reduce(0) { $0 &<< 8 | UInt32($1) }
        }
        (w0, w1, w2, w3) = (word(0), word(1), word(2), word(3))
        (w4, w5, w6, w7) = (word(4), word(5), word(6), word(7))
        (w8, w9, w10, w11) = (word(8), word(9), word(10), word(11))
        (w12, w13, w14, w15) = (word(12), word(13), word(14), word(15))
    }

    /// Makes a digest the last block of a message that had one block before it: the second input of HMAC.
    init(digest: SHA256State) {
        (w0, w1, w2, w3) = (digest.a, digest.b, digest.c, digest.d)
        (w4, w5, w6, w7) = (digest.e, digest.f, digest.g, digest.h)
        (w8, w9, w10, w11) = (0x8000_0000, 0, 0, 0)
        (w12, w13, w14, w15) = (0, 0, 0, (64 + 32) * 8)
    }
}
