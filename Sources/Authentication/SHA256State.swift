/// The state of SHA-256 between blocks (FIPS 180-4 §6.2).
///
/// Written out round by round, with every word in a variable of its own: a login of SCRAM takes 8,192 of these
/// compressions, and in a debug build a subscript costs as much as a whole round does here.
struct SHA256State: Hashable, Sendable {
    var a: UInt32 = 0x6a09_e667
    var b: UInt32 = 0xbb67_ae85
    var c: UInt32 = 0x3c6e_f372
    var d: UInt32 = 0xa54f_f53a
    var e: UInt32 = 0x510e_527f
    var f: UInt32 = 0x9b05_688c
    var g: UInt32 = 0x1f83_d9ab
    var h: UInt32 = 0x5be0_cd19

    /// Absorbs a block of 16 words.
    mutating func compress(_ block: SHA256Block) {
        var (a, b, c, d, e, f, g, h) = (
            self.a, self.b, self.c, self.d, self.e, self.f, self.g, self.h
        )
        var (w0, w1, w2, w3) = (block.w0, block.w1, block.w2, block.w3)
        var (w4, w5, w6, w7) = (block.w4, block.w5, block.w6, block.w7)
        var (w8, w9, w10, w11) = (block.w8, block.w9, block.w10, block.w11)
        var (w12, w13, w14, w15) = (block.w12, block.w13, block.w14, block.w15)
        round(a, b, c, &d, e, f, g, &h, 0x428a_2f98 &+ w0)
        round(h, a, b, &c, d, e, f, &g, 0x7137_4491 &+ w1)
        round(g, h, a, &b, c, d, e, &f, 0xb5c0_fbcf &+ w2)
        round(f, g, h, &a, b, c, d, &e, 0xe9b5_dba5 &+ w3)
        round(e, f, g, &h, a, b, c, &d, 0x3956_c25b &+ w4)
        round(d, e, f, &g, h, a, b, &c, 0x59f1_11f1 &+ w5)
        round(c, d, e, &f, g, h, a, &b, 0x923f_82a4 &+ w6)
        round(b, c, d, &e, f, g, h, &a, 0xab1c_5ed5 &+ w7)
        round(a, b, c, &d, e, f, g, &h, 0xd807_aa98 &+ w8)
        round(h, a, b, &c, d, e, f, &g, 0x1283_5b01 &+ w9)
        round(g, h, a, &b, c, d, e, &f, 0x2431_85be &+ w10)
        round(f, g, h, &a, b, c, d, &e, 0x550c_7dc3 &+ w11)
        round(e, f, g, &h, a, b, c, &d, 0x72be_5d74 &+ w12)
        round(d, e, f, &g, h, a, b, &c, 0x80de_b1fe &+ w13)
        round(c, d, e, &f, g, h, a, &b, 0x9bdc_06a7 &+ w14)
        round(b, c, d, &e, f, g, h, &a, 0xc19b_f174 &+ w15)
        w0 = w0 &+ small0(w1) &+ w9 &+ small1(w14)
        round(a, b, c, &d, e, f, g, &h, 0xe49b_69c1 &+ w0)
        w1 = w1 &+ small0(w2) &+ w10 &+ small1(w15)
        round(h, a, b, &c, d, e, f, &g, 0xefbe_4786 &+ w1)
        w2 = w2 &+ small0(w3) &+ w11 &+ small1(w0)
        round(g, h, a, &b, c, d, e, &f, 0x0fc1_9dc6 &+ w2)
        w3 = w3 &+ small0(w4) &+ w12 &+ small1(w1)
        round(f, g, h, &a, b, c, d, &e, 0x240c_a1cc &+ w3)
        w4 = w4 &+ small0(w5) &+ w13 &+ small1(w2)
        round(e, f, g, &h, a, b, c, &d, 0x2de9_2c6f &+ w4)
        w5 = w5 &+ small0(w6) &+ w14 &+ small1(w3)
        round(d, e, f, &g, h, a, b, &c, 0x4a74_84aa &+ w5)
        w6 = w6 &+ small0(w7) &+ w15 &+ small1(w4)
        round(c, d, e, &f, g, h, a, &b, 0x5cb0_a9dc &+ w6)
        w7 = w7 &+ small0(w8) &+ w0 &+ small1(w5)
        round(b, c, d, &e, f, g, h, &a, 0x76f9_88da &+ w7)
        w8 = w8 &+ small0(w9) &+ w1 &+ small1(w6)
        round(a, b, c, &d, e, f, g, &h, 0x983e_5152 &+ w8)
        w9 = w9 &+ small0(w10) &+ w2 &+ small1(w7)
        round(h, a, b, &c, d, e, f, &g, 0xa831_c66d &+ w9)
        w10 = w10 &+ small0(w11) &+ w3 &+ small1(w8)
        round(g, h, a, &b, c, d, e, &f, 0xb003_27c8 &+ w10)
        w11 = w11 &+ small0(w12) &+ w4 &+ small1(w9)
        round(f, g, h, &a, b, c, d, &e, 0xbf59_7fc7 &+ w11)
        w12 = w12 &+ small0(w13) &+ w5 &+ small1(w10)
        round(e, f, g, &h, a, b, c, &d, 0xc6e0_0bf3 &+ w12)
        w13 = w13 &+ small0(w14) &+ w6 &+ small1(w11)
        round(d, e, f, &g, h, a, b, &c, 0xd5a7_9147 &+ w13)
        w14 = w14 &+ small0(w15) &+ w7 &+ small1(w12)
        round(c, d, e, &f, g, h, a, &b, 0x06ca_6351 &+ w14)
        w15 = w15 &+ small0(w0) &+ w8 &+ small1(w13)
        round(b, c, d, &e, f, g, h, &a, 0x1429_2967 &+ w15)
        w0 = w0 &+ small0(w1) &+ w9 &+ small1(w14)
        round(a, b, c, &d, e, f, g, &h, 0x27b7_0a85 &+ w0)
        w1 = w1 &+ small0(w2) &+ w10 &+ small1(w15)
        round(h, a, b, &c, d, e, f, &g, 0x2e1b_2138 &+ w1)
        w2 = w2 &+ small0(w3) &+ w11 &+ small1(w0)
        round(g, h, a, &b, c, d, e, &f, 0x4d2c_6dfc &+ w2)
        w3 = w3 &+ small0(w4) &+ w12 &+ small1(w1)
        round(f, g, h, &a, b, c, d, &e, 0x5338_0d13 &+ w3)
        w4 = w4 &+ small0(w5) &+ w13 &+ small1(w2)
        round(e, f, g, &h, a, b, c, &d, 0x650a_7354 &+ w4)
        w5 = w5 &+ small0(w6) &+ w14 &+ small1(w3)
        round(d, e, f, &g, h, a, b, &c, 0x766a_0abb &+ w5)
        w6 = w6 &+ small0(w7) &+ w15 &+ small1(w4)
        round(c, d, e, &f, g, h, a, &b, 0x81c2_c92e &+ w6)
        w7 = w7 &+ small0(w8) &+ w0 &+ small1(w5)
        round(b, c, d, &e, f, g, h, &a, 0x9272_2c85 &+ w7)
        w8 = w8 &+ small0(w9) &+ w1 &+ small1(w6)
        round(a, b, c, &d, e, f, g, &h, 0xa2bf_e8a1 &+ w8)
        w9 = w9 &+ small0(w10) &+ w2 &+ small1(w7)
        round(h, a, b, &c, d, e, f, &g, 0xa81a_664b &+ w9)
        w10 = w10 &+ small0(w11) &+ w3 &+ small1(w8)
        round(g, h, a, &b, c, d, e, &f, 0xc24b_8b70 &+ w10)
        w11 = w11 &+ small0(w12) &+ w4 &+ small1(w9)
        round(f, g, h, &a, b, c, d, &e, 0xc76c_51a3 &+ w11)
        w12 = w12 &+ small0(w13) &+ w5 &+ small1(w10)
        round(e, f, g, &h, a, b, c, &d, 0xd192_e819 &+ w12)
        w13 = w13 &+ small0(w14) &+ w6 &+ small1(w11)
        round(d, e, f, &g, h, a, b, &c, 0xd699_0624 &+ w13)
        w14 = w14 &+ small0(w15) &+ w7 &+ small1(w12)
        round(c, d, e, &f, g, h, a, &b, 0xf40e_3585 &+ w14)
        w15 = w15 &+ small0(w0) &+ w8 &+ small1(w13)
        round(b, c, d, &e, f, g, h, &a, 0x106a_a070 &+ w15)
        w0 = w0 &+ small0(w1) &+ w9 &+ small1(w14)
        round(a, b, c, &d, e, f, g, &h, 0x19a4_c116 &+ w0)
        w1 = w1 &+ small0(w2) &+ w10 &+ small1(w15)
        round(h, a, b, &c, d, e, f, &g, 0x1e37_6c08 &+ w1)
        w2 = w2 &+ small0(w3) &+ w11 &+ small1(w0)
        round(g, h, a, &b, c, d, e, &f, 0x2748_774c &+ w2)
        w3 = w3 &+ small0(w4) &+ w12 &+ small1(w1)
        round(f, g, h, &a, b, c, d, &e, 0x34b0_bcb5 &+ w3)
        w4 = w4 &+ small0(w5) &+ w13 &+ small1(w2)
        round(e, f, g, &h, a, b, c, &d, 0x391c_0cb3 &+ w4)
        w5 = w5 &+ small0(w6) &+ w14 &+ small1(w3)
        round(d, e, f, &g, h, a, b, &c, 0x4ed8_aa4a &+ w5)
        w6 = w6 &+ small0(w7) &+ w15 &+ small1(w4)
        round(c, d, e, &f, g, h, a, &b, 0x5b9c_ca4f &+ w6)
        w7 = w7 &+ small0(w8) &+ w0 &+ small1(w5)
        round(b, c, d, &e, f, g, h, &a, 0x682e_6ff3 &+ w7)
        w8 = w8 &+ small0(w9) &+ w1 &+ small1(w6)
        round(a, b, c, &d, e, f, g, &h, 0x748f_82ee &+ w8)
        w9 = w9 &+ small0(w10) &+ w2 &+ small1(w7)
        round(h, a, b, &c, d, e, f, &g, 0x78a5_636f &+ w9)
        w10 = w10 &+ small0(w11) &+ w3 &+ small1(w8)
        round(g, h, a, &b, c, d, e, &f, 0x84c8_7814 &+ w10)
        w11 = w11 &+ small0(w12) &+ w4 &+ small1(w9)
        round(f, g, h, &a, b, c, d, &e, 0x8cc7_0208 &+ w11)
        w12 = w12 &+ small0(w13) &+ w5 &+ small1(w10)
        round(e, f, g, &h, a, b, c, &d, 0x90be_fffa &+ w12)
        w13 = w13 &+ small0(w14) &+ w6 &+ small1(w11)
        round(d, e, f, &g, h, a, b, &c, 0xa450_6ceb &+ w13)
        w14 = w14 &+ small0(w15) &+ w7 &+ small1(w12)
        round(c, d, e, &f, g, h, a, &b, 0xbef9_a3f7 &+ w14)
        w15 = w15 &+ small0(w0) &+ w8 &+ small1(w13)
        round(b, c, d, &e, f, g, h, &a, 0xc671_78f2 &+ w15)
        self.a = self.a &+ a
        self.b = self.b &+ b
        self.c = self.c &+ c
        self.d = self.d &+ d
        self.e = self.e &+ e
        self.f = self.f &+ f
        self.g = self.g &+ g
        self.h = self.h &+ h
    }

    private func round(
        _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32,
        _ e: UInt32, _ f: UInt32, _ g: UInt32, _ h: inout UInt32, _ input: UInt32
    ) {
        let big1 = (e &>> 6 | e &<< 26) ^ (e &>> 11 | e &<< 21) ^ (e &>> 25 | e &<< 7)
        let sum = h &+ big1 &+ (e & f ^ ~e & g) &+ input
        let big0 = (a &>> 2 | a &<< 30) ^ (a &>> 13 | a &<< 19) ^ (a &>> 22 | a &<< 10)
        d = d &+ sum
        h = sum &+ big0 &+ (a & b ^ a & c ^ b & c)
    }

    private func small0(_ x: UInt32) -> UInt32 {
        (x &>> 7 | x &<< 25) ^ (x &>> 18 | x &<< 14) ^ x &>> 3
    }

    private func small1(_ x: UInt32) -> UInt32 {
        (x &>> 17 | x &<< 15) ^ (x &>> 19 | x &<< 13) ^ x &>> 10
    }

    /// The bytes of this state, as a digest.
    var bytes: [UInt8] {
        [a, b, c, d, e, f, g, h].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word &>> (24 - 8 * $0)) }
        }
    }
}
