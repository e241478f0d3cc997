import BroadcasterTestSupport
import Testing

@testable import BroadcasterChatDemo

/// A client's frame: masked, with a mask that changes every byte.
private func frame(
    _ first: UInt8, _ payload: [UInt8], mask: [UInt8] = [1, 2, 3, 4], length: [UInt8]? = nil
) -> [UInt8] {
    let declared: [UInt8]
    switch payload.count {
    case ..<126: declared = [0x80 | UInt8(payload.count)]
    case ..<65_536: declared = [0xfe, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    default:
        declared =
            [0xff] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    let masked = payload.enumerated().map { $1 ^ mask[$0 & 3] }
    return [first] + (length ?? declared) + mask + masked
}

private func text(_ string: String) -> [UInt8] { Array(string.utf8) }

struct CodecRow: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let events: [WebSocketEvent]

    init(_ name: String, _ bytes: [UInt8], _ events: [WebSocketEvent]) {
        testDescription = name
        self.bytes = bytes
        self.events = events
    }
}

private let rows: [CodecRow] = [
    .init("text", frame(0x81, text("Hello")), [.text(text("Hello"))]),
    // RFC 6455 §5.7: a single-frame masked text message.
    .init(
        "the RFC's example",
        [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
        [.text(text("Hello"))]),
    .init("empty text", frame(0x81, []), [.text([])]),
    .init("binary", frame(0x82, [0, 255]), [.binary([0, 255])]),
    .init(
        "125 bytes", frame(0x82, .init(repeating: 7, count: 125)),
        [.binary(.init(repeating: 7, count: 125))]),
    .init(
        "126 bytes", frame(0x82, .init(repeating: 7, count: 126)),
        [.binary(.init(repeating: 7, count: 126))]),
    .init(
        "65,536 bytes", frame(0x82, .init(repeating: 7, count: 65_536)),
        [.binary(.init(repeating: 7, count: 65_536))]),
    .init("ping", frame(0x89, text("x")), [.ping(text("x"))]),
    .init("pong", frame(0x8a, []), [.pong([])]),
    .init(
        "fragments", frame(0x01, text("a")) + frame(0x00, text("b")) + frame(0x80, text("c")),
        [.text(text("abc"))]),
    .init(
        "a ping between fragments", frame(0x01, text("a")) + frame(0x89, []) + frame(0x80, []),
        [.ping([]), .text(text("a"))]),
    .init(
        "a ping inside of a message of the largest size",
        frame(0x02, .init(repeating: 7, count: 65_500))
            + frame(0x89, .init(repeating: 1, count: 125))
            + frame(0x80, .init(repeating: 7, count: 36)),
        [.ping(.init(repeating: 1, count: 125)), .binary(.init(repeating: 7, count: 65_536))]),
    .init(
        "UTF-8 split between fragments",
        frame(0x01, [0xc3]) + frame(0x80, [0xa9]), [.text(text("é"))]),
    .init("close without a code", frame(0x88, []), [.close(code: nil)]),
    .init("close with a code", frame(0x88, [0x03, 0xe8]), [.close(code: 1000)]),
    .init("close with a reason", frame(0x88, [0x0f, 0xa0] + text("bye")), [.close(code: 4000)]),
    .init(
        "nothing after a close", frame(0x88, []) + frame(0x81, text("late")), [.close(code: nil)]),
    .init(
        "two messages", frame(0x81, text("a")) + frame(0x82, [1]), [.text(text("a")), .binary([1])]),
]

private let faults: [(String, [UInt8], UInt16)] = [
    ("not masked", [0x81, 0x01, 0x61], 1002),
    ("a reserved bit", frame(0xc1, []), 1002),
    ("opcode 3", frame(0x83, []), 1002),
    ("opcode 11", frame(0x8b, []), 1002),
    ("a fragmented ping", frame(0x09, []), 1002),
    ("a long ping", frame(0x89, .init(repeating: 0, count: 126)), 1002),
    ("a continuation of nothing", frame(0x80, text("a")), 1002),
    ("a beginning inside a message", frame(0x01, text("a")) + frame(0x81, text("b")), 1002),
    (
        "125 written as 126", frame(0x82, .init(repeating: 0, count: 125), length: [0xfe, 0, 125]),
        1002
    ),
    ("a length of 2^63", [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002),
    ("a length of 2^62", [0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0], 1009),
    ("a length just over the limit", [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1], 1009),
    (
        "fragments over the limit",
        frame(0x02, .init(repeating: 0, count: 60_000))
            + frame(0x80, .init(repeating: 0, count: 6_000)),
        1009
    ),
    ("a text that is not UTF-8", frame(0x81, [0xff]), 1007),
    ("a surrogate", frame(0x81, [0xed, 0xa0, 0x80]), 1007),
    ("fragments that are not UTF-8", frame(0x01, [0xc3]) + frame(0x80, [0x28]), 1007),
    ("a close code of one byte", frame(0x88, [3]), 1002),
    ("close code 1005", frame(0x88, [0x03, 0xed]), 1002),
    ("close code 999", frame(0x88, [0x03, 0xe7]), 1002),
    ("a close reason that is not UTF-8", frame(0x88, [0x03, 0xe8, 0xff]), 1007),
]

struct WebSocketCodecTests {
    @Test(arguments: rows, Feed.allCases)
    func readsWhatComes(row: CodecRow, feed: Feed) throws {
        var decoder = WebSocketDecoder()
        var events: [WebSocketEvent] = []
        for piece in feed.pieces(of: row.bytes) { events += try decoder.receive(piece) }
        #expect(events == row.events)
    }

    @Test(arguments: faults, [Feed.whole, .byteByByte])
    func refusesWithACode(fault: (name: String, bytes: [UInt8], code: UInt16), feed: Feed) {
        let error = #expect(throws: WebSocketError.self) {
            var decoder = WebSocketDecoder()
            for piece in feed.pieces(of: fault.bytes) { _ = try decoder.receive(piece) }
        }
        #expect(error?.code == fault.code, "\(fault.name)")
    }

    @Test func survivesDamage() {
        var random = SeededRandom()
        let whole = rows.flatMap { $0.bytes.count < 1000 ? $0.bytes : [] }
        for _ in 0..<3000 {
            var decoder = WebSocketDecoder()
            var bytes = whole
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            do throws(WebSocketError) {
                for piece in Feed.randomPieces.pieces(of: bytes, seed: random.next()) {
                    _ = try decoder.receive(piece)
                }
            } catch {
                #expect([1002, 1007, 1009].contains(error.code), "seed \(random.seed)")
            }
        }
    }

    @Test(arguments: [0, 125, 126, 65_535, 65_536])
    func writesFramesThatAnyoneCanRead(count: Int) {
        let bytes = WebSocketEncoder.text(String(repeating: "x", count: count))
        let headerSize = count < 126 ? 2 : count < 65_536 ? 4 : 10
        #expect(bytes.count == headerSize + count)
        #expect(bytes[0] == 0x81)
    }
}
