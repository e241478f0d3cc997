import BroadcasterAuthentication

/// The server's answer to a handshake (RFC 6455 §4.2.2).
enum WebSocketHandshake {
    /// The value of `Sec-WebSocket-Accept`.
    static func accept(_ request: HTTPRequest) throws(HTTPError) -> String {
        guard request.method == "GET" else { throw .methodNotAllowed }
        guard request.list("connection").contains("upgrade"),
            request.list("upgrade").contains("websocket")
        else { throw .upgradeRequired }
        guard request.headers["sec-websocket-version"] == "13" else { throw .upgradeRequired }
        guard let key = request.headers["sec-websocket-key"], key.utf8.count == 24,
            key.hasSuffix("==")
        else { throw .badRequest }
        let digest = SHA1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return Base64.encode(digest)
    }
}
