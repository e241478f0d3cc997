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

    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
        (String(repeating: "a", count: 119), "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"),
    ])
    func sha1IsRight(message: String, expected: String) {
        let hex = SHA1.digest(Array(message.utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        #expect(hex.joined() == expected)
    }
}

struct HTTPParserTests {
    private func parse(_ text: String, _ feed: Feed) throws -> HTTPRequest? {
        var parser = HTTPParser()
        for piece in feed.pieces(of: Array(text.utf8)) {
            if let request = try parser.receive(piece) { return request }
        }
        return nil
    }

    @Test(arguments: Feed.allCases)
    func readsARequest(feed: Feed) throws {
        let request = try parse(
            "POST /publish/a%20b?x=1&y=%C3%A9 HTTP/1.1\r\nHost: h:1\r\nX-A:  b \r\nx-a: c\r\n"
                + "Content-Length: 5\r\n\r\nhello", feed)
        #expect(request?.method == "POST")
        #expect(request?.path == "/publish/a b")
        #expect(request?.query == ["x": "1", "y": "é"])
        #expect(request?.headers["x-a"] == "b, c")
        #expect(request?.body == Array("hello".utf8))
    }

    @Test func keepsWhatFollows() throws {
        var parser = HTTPParser()
        _ = try parser.receive(Array("GET / HTTP/1.1\r\nHost: h\r\n\r\nmore".utf8))
        #expect(parser.rest == Array("more".utf8))
    }

    @Test(arguments: [
        ("nonsense\r\n\r\n", 400), ("GET /\r\n\r\n", 400),
        ("GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        ("GET / FTP/1.1\r\nHost: h\r\n\r\n", 400), ("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /%+1 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\u{1}\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        ("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 17_000), 431),
        ("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 17_000) + "\r\n\r\n", 431),
    ])
    func refusesWithAStatus(text: String, status: Int) {
        let error = #expect(throws: HTTPError.self) { _ = try parse(text, .whole) }
        #expect(error?.status == status)
    }

    @Test func theHandshakesExampleOfTheRFC() throws {
        let request = try parse(
            "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            .whole)
        #expect(
            try request.map(WebSocketHandshake.accept) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test(arguments: [
        (nil, true), ("http://chat.example:8000", true), ("https://chat.example:8000", true),
        ("http://evil.example", false), ("http://chat.example:8000.evil.example", false),
        ("null", false), ("http://chat.example", false),
    ])
    func aForeignPageIsKnownByItsOrigin(origin: String?, isSame: Bool) throws {
        let header = origin.map { "Origin: \($0)\r\n" } ?? ""
        let request = try parse(
            "GET / HTTP/1.1\r\nHost: chat.example:8000\r\n\(header)\r\n", .whole)
        #expect(request?.isSameOrigin == isSame)
    }
}
