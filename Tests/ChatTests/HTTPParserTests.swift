import BroadcasterTestSupport
import Testing

@testable import BroadcasterChatDemo

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
