@testable import BroadcasterChatDemo

/// The bytes that a browser, or a client that pretends to be one, sends to `broadcast chat`.
enum ChatFuzz {
    static func http(_ bytes: [UInt8]) {
        var whole = HTTPParser()
        let request = Result { () throws(HTTPError) in try whole.receive(bytes) }
        var parser = HTTPParser()
        let cut = Result { () throws(HTTPError) -> HTTPRequest? in
            for byte in bytes {
                if let request = try parser.receive([byte]) { return request }
            }
            return nil
        }
        if case .success(let one) = request, case .success(let other) = cut {
            require(one == other, "whole and byte by byte give different requests")
        }
        if case .success(let found?) = request {
            require(found.path.hasPrefix("/"), "a path without its slash")
            _ = try? WebSocketHandshake.accept(found)
        }
    }

    static func webSocket(_ bytes: [UInt8]) {
        let whole = decode([bytes])
        let single = decode(bytes.map { [$0] })
        require(whole.failure == single.failure, "two feeds fail differently")
        if whole.failure == nil {
            require(whole.events == single.events, "two feeds give different events")
        }
    }

    private static func decode(
        _ pieces: [[UInt8]]
    ) -> (events: [WebSocketEvent], failure: WebSocketError?) {
        var decoder = WebSocketDecoder()
        var events: [WebSocketEvent] = []
        do throws(WebSocketError) {
            for piece in pieces { events += try decoder.receive(piece) }
            return (events, nil)
        } catch {
            return (events, error)
        }
    }

    static let httpSeeds = [
        "GET /ws/room?name=a%20b HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        "POST /publish/room HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    ].map { Array($0.utf8) }

    static let webSocketSeeds: [[UInt8]] = [
        [0x81, 0x85, 1, 2, 3, 4, 0x69, 0x67, 0x6f, 0x68, 0x6e], [0x88, 0x82, 0, 0, 0, 0, 3, 0xe8],
        [0x01, 0x81, 0, 0, 0, 0, 0x61, 0x89, 0x80, 0, 0, 0, 0, 0x80, 0x81, 0, 0, 0, 0, 0x62],
        [0x82, 0xfe, 0, 126, 0, 0, 0, 0] + [UInt8](repeating: 7, count: 126),
    ]
}
