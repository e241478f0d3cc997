import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterKafka

/// Frames that the program zstd 1.5.4 has written.
@Suite(.enabled(if: ZstdLibrary.shared != nil, "needs libzstd.so.1"))
struct ZstdLibraryTests {
    /// Eight lines, without a checksum and without their size, as a program writes them that does not know it.
    private static let lines = bytes(
        hex: "28b52ffd0058b500004068656c6c6f20310a04009b9e14c0006e7a385e2902")
    /// 300,000 bytes that are 0.
    private static let zeros = bytes(
        hex: "28b52ffd04585400001000000100fbff39c00202001000039f04002d28de26")

    private func unpack(_ bytes: [UInt8], limit: Int = 1 << 20) throws -> [UInt8] {
        try Compression.unpack(bytes.span, 0..<bytes.count, .zstd, limit: limit)
    }

    @Test func framesComeOutWhole() throws {
        let expected = String(repeating: "hello hello hello hello 1\n", count: 8)
        #expect(try unpack(Self.lines) == Array(expected.utf8))
        #expect(try unpack(Self.zeros) == Array(repeating: 0, count: 300_000))
        #expect(try unpack(Self.lines + Self.lines).count == 2 * expected.utf8.count)
    }

    @Test func whatIsCutOrBrokenIsAFault() {
        for bytes in [Self.lines, Self.zeros] {
            for end in 1..<bytes.count {
                #expect(throws: RecordFault.self) { try unpack(Array(bytes[..<end])) }
            }
        }
        #expect(throws: RecordFault.self) { try unpack(Self.lines + [0]) }
        #expect(throws: RecordFault.self) { try unpack(Array(repeating: 0x41, count: 100)) }
    }

    @Test func noMoreComesOutThanIsAllowed() throws {
        #expect(try unpack(Self.zeros, limit: 300_000).count == 300_000)
        #expect(throws: RecordFault.self) { try unpack(Self.zeros, limit: 299_999) }
    }

    @Test func randomBytesEndInOrder() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<500 {
            var bytes = Self.lines
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            _ = try? unpack(bytes)
        }
    }
}
