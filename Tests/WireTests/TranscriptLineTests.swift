import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct TranscriptLineTests {
    @Test func escapedBytesComeBack() {
        let bytes: [UInt8] = [0, 13, 10, 92, 0x20, 0x7e, 0x7f, 0xff, 65]
        let text = TranscriptLine.escape(bytes)
        #expect(text == #"\x00\r\n\\ ~\x7f\xffA"#)
        #expect(Transcript.unescape(text) == bytes)
    }

    @Test func secretsAreMasked() {
        let line = TranscriptLine.sent(Array("AUTH pass\r\n".utf8), on: .main, secrets: ["pass"])
        #expect(line == #"C: AUTH ****\r\n"#)
    }

    /// Redis repeats 128 bytes of an unknown command, and no more.
    @Test func theBeginningOfALongSecretIsMasked() {
        let secret = String(repeating: "s3cret", count: 30)
        let text = "unknown command 'AUTH', with args beginning with: '\(secret.prefix(128))'"
        let masked = TranscriptLine.mask(Array(text.utf8), secret)
        let stars = String(repeating: "*", count: 128)
        #expect(
            String(decoding: masked, as: UTF8.self)
                == "unknown command 'AUTH', with args beginning with: '\(stars)'")
    }
}
