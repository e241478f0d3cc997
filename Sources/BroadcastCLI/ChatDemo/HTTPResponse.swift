/// Answers, as bytes. The server ends the connection after each, except after an upgrade and an event stream.
enum HTTPResponse {
    static func whole(
        _ status: Int, _ reason: String, type: String, body: [UInt8], isHead: Bool = false
    ) -> [UInt8] {
        let head = """
            HTTP/1.1 \(status) \(reason)\r
            Content-Type: \(type)\r
            Content-Length: \(body.count)\r
            Content-Security-Policy: default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\r
            X-Content-Type-Options: nosniff\r
            Referrer-Policy: no-referrer\r
            Cache-Control: no-store\r
            Connection: close\r
            \r

            """
        return Array(head.utf8) + (isHead ? [] : body)
    }

    static func error(_ error: HTTPError, _ detail: String = "") -> [UInt8] {
        let text = "\(error.status) \(error.reason)\(detail.isEmpty ? "" : ": \(detail)")\n"
        return whole(
            error.status, error.reason, type: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    static let eventStream = Array(
        """
        HTTP/1.1 200 OK\r
        Content-Type: text/event-stream; charset=utf-8\r
        Cache-Control: no-store\r
        X-Content-Type-Options: nosniff\r
        Connection: close\r
        \r

        """.utf8)

    static func switchingToWebSocket(accept: String) -> [UInt8] {
        Array(
            """
            HTTP/1.1 101 Switching Protocols\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Accept: \(accept)\r
            \r

            """.utf8)
    }
}
