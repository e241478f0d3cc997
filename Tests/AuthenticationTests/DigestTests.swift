import BroadcasterAuthentication
import Testing

private func text(_ string: String, times: Int = 1) -> [UInt8] {
    Array(String(repeating: string, count: times).utf8)
}

struct DigestTests {
    /// FIPS 180-4, RFC 6234, and every border of the padding.
    @Test(arguments: [
        (text(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            text("01234567", times: 80),
            "594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5"
        ),
        (text("a", times: 55), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
        (text("a", times: 56), "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"),
        (text("a", times: 63), "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"),
        (text("a", times: 64), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
        (text("a", times: 65), "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"),
        (text("a", times: 119), "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"),
        (text("a", times: 128), "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e"),
        (
            text("a", times: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func sha256(message: [UInt8], expected: String) {
        #expect(hex(SHA256.digest(message)) == expected)
    }

    /// RFC 1321.
    @Test(arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e"), ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "d174ab98d277d9f5a5611c2c9f419d9f"
        ),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a"
        ),
    ])
    func md5(message: String, expected: String) {
        #expect(hex(MD5.digest(Array(message.utf8))) == expected)
    }

    /// RFC 4231.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0b, count: 20), text("Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            text("Jefe"), text("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), [UInt8](repeating: 0xcd, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            text("Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            text(
                "This is a test using a larger than block-size key and a larger than block-size data."
                    + " The key needs to be hashed before being used by the HMAC algorithm."),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ])
    func hmac(key: [UInt8], message: [UInt8], expected: String) {
        #expect(hex(HMAC(key: key).authenticate(message)) == expected)
    }

    /// RFC 7914 §11 in its two blocks, and those of RFC 6070 for SHA-256.
    @Test(arguments: [
        (
            "passwd", "salt", 1, 1 as UInt8,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        ),
        (
            "passwd", "salt", 1, 2,
            "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
        ),
        (
            "Password", "NaCl", 80_000, 1,
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        ),
        (
            "password", "salt", 1, 1,
            "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"
        ),
        (
            "password", "salt", 2, 1,
            "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"
        ),
        (
            "password", "salt", 4096, 1,
            "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"
        ),
    ])
    func pbkdf2(password: String, salt: String, rounds: Int, block: UInt8, expected: String) {
        for slice in [Int.max, 1000] {
            var derivation = PBKDF2(
                password: Array(password.utf8), salt: Array(salt.utf8), iterations: rounds,
                block: block)
            var key: [UInt8]?
            while key == nil { key = derivation.work(rounds: slice) }
            #expect(key.map(hex) == expected)
        }
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func base64(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test(arguments: [
        "Zg=", "Zg", "Zg==x", "Z g==", "Zh==", "Zm9=", "=", "====", "Zg==Zg==", "Zm9v\n", "Zm-v",
        "Zm_v",
    ])
    func base64IsStrict(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    /// RFC 4013 §3.
    @Test(arguments: [
        ("I\u{ad}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{aa}", "a"), ("\u{2168}", "IX"),
        ("\u{7}", nil), ("\u{627}1", nil), ("\u{627}\u{628}", "\u{627}\u{628}"), ("a\u{627}", nil),
        ("a\u{a0}b", "a b"), ("a\u{200b}b", "ab"), ("\u{ff41}", "a"), ("ü", "ü"), ("\u{e000}", nil),
        ("\u{fb01}x", "fix"), ("\u{2460}", "1"), ("日本", "日本"),
    ])
    func saslprep(text: String, expected: String?) {
        #expect(SASLprep.prepare(text) == expected)
    }
}
