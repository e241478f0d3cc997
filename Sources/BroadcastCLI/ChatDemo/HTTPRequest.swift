import BroadcasterWire

/// The head of an HTTP/1.1 request, and its body where it has one.
struct HTTPRequest: Hashable, Sendable {
    let method: String
    /// The path, percent-decoded.
    let path: String
    /// The query, percent-decoded; a name that stands twice keeps its first value.
    let query: [String: String]
    /// Names in lower case; the values of a name that stands twice are joined by a comma.
    let headers: [String: String]
    var body: [UInt8] = []

    /// The words of a header that is a list, in lower case.
    func list(_ name: String) -> [String] {
        (headers[name] ?? "").split(separator: ",").map { word in
            String(word.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" })
                .lowercased()
        }
    }

    /// The request comes from a page that this server has served, or from no page at all (curl).
    ///
    /// Browsers send `Origin` with every WebSocket handshake and POST, and a page cannot change it: a
    /// foreign page must not speak with a person's chat.
    var isSameOrigin: Bool {
        guard let origin = headers["origin"] else { return true }
        return origin == "http://\(headers["host"] ?? "")"
            || origin == "https://\(headers["host"] ?? "")"
    }
}

/// Why a request is not answered as it wished: a status of HTTP (RFC 9110 §15).
struct HTTPError: Error, Hashable, Sendable {
    let status: Int
    let reason: String

    static let badRequest = HTTPError(status: 400, reason: "Bad Request")
    static let forbidden = HTTPError(status: 403, reason: "Forbidden")
    static let notFound = HTTPError(status: 404, reason: "Not Found")
    static let methodNotAllowed = HTTPError(status: 405, reason: "Method Not Allowed")
    static let requestTimeout = HTTPError(status: 408, reason: "Request Timeout")
    static let lengthRequired = HTTPError(status: 411, reason: "Length Required")
    static let contentTooLarge = HTTPError(status: 413, reason: "Content Too Large")
    static let upgradeRequired = HTTPError(status: 426, reason: "Upgrade Required")
    static let headersTooLarge = HTTPError(status: 431, reason: "Request Header Fields Too Large")
    static let notImplemented = HTTPError(status: 501, reason: "Not Implemented")
    static let unavailable = HTTPError(status: 503, reason: "Service Unavailable")
    static let versionNotSupported = HTTPError(status: 505, reason: "HTTP Version Not Supported")
}

/// Reads one request from bytes that come in pieces (RFC 9112). A value.
struct HTTPParser: Sendable {
    /// The request line and all headers.
    static let headLimit = 16_384
    static let bodyLimit = 65_536

    private var bytes: [UInt8] = []
    /// How far the end of the head has been searched for.
    private var searched = 0
    private var head: (request: HTTPRequest, bodyStart: Int, bodyLength: Int)?

    /// Adds what has come. The result is the request when it is whole; bytes after it stay in `rest`.
    mutating func receive(_ piece: some Sequence<UInt8>) throws(HTTPError) -> HTTPRequest? {
        bytes += piece
        if head == nil { head = try readHead() }
        guard let head, bytes.count >= head.bodyStart + head.bodyLength else { return nil }
        var request = head.request
        request.body = Array(bytes[head.bodyStart..<head.bodyStart + head.bodyLength])
        return request
    }

    /// What came after the request.
    var rest: [UInt8] {
        guard let head else { return bytes }
        return Array(bytes[(head.bodyStart + head.bodyLength)...])
    }

    private mutating func readHead() throws(HTTPError) -> (HTTPRequest, Int, Int)? {
        let end = Array("\r\n\r\n".utf8)
        while searched + 4 <= bytes.count {
            if bytes[searched..<searched + 4].elementsEqual(end) {
                guard searched <= HTTPParser.headLimit else { throw .headersTooLarge }
                let request = try HTTPParser.request(bytes[..<searched])
                return (request, searched + 4, try HTTPParser.bodyLength(of: request))
            }
            searched += 1
        }
        if bytes.count > HTTPParser.headLimit { throw .headersTooLarge }
        return nil
    }

    private static func request(_ head: ArraySlice<UInt8>) throws(HTTPError) -> HTTPRequest {
        guard let text = String(validating: head, as: UTF8.self) else { throw .badRequest }
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
        let words = lines.popFirst()?.split(separator: " ", omittingEmptySubsequences: false) ?? []
        guard words.count == 3, !words[0].isEmpty, words[1].first == "/" else { throw .badRequest }
        guard words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else {
            throw words[2].hasPrefix("HTTP/") ? .versionNotSupported : .badRequest
        }
        guard ["GET", "HEAD", "POST"].contains(words[0]) else { throw .notImplemented }
        let headers = try headers(lines)
        if words[2] == "HTTP/1.1", headers["host"] == nil { throw .badRequest }
        let parts = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return HTTPRequest(
            method: String(words[0]), path: try decode(parts[0]),
            query: try query(parts.dropFirst().first ?? ""), headers: headers)
    }

    private static func headers(
        _ lines: ArraySlice<Substring>
    ) throws(HTTPError) -> [String: String] {
        var headers: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { throw .badRequest }
            let name = line[..<colon]
            // No blank before the colon, no folded line (RFC 9112 §5.1, §5.2): request smuggling.
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw .badRequest
            }
            let value = trim(line[line.index(after: colon)...])
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
                throw .badRequest
            }
            let key = name.lowercased()
            headers[key] = headers[key].map { "\($0), \(value)" } ?? value
        }
        return headers
    }

    private static func trim(_ text: Substring) -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return String(text)
    }

    private static func bodyLength(of request: HTTPRequest) throws(HTTPError) -> Int {
        if request.headers["transfer-encoding"] != nil { throw .notImplemented }
        guard let text = request.headers["content-length"] else {
            if request.method == "POST" { throw .lengthRequired }
            return 0
        }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(text) else {
            throw .badRequest
        }
        guard length <= bodyLimit else { throw .contentTooLarge }
        return length
    }

    private static func query(_ text: Substring) throws(HTTPError) -> [String: String] {
        var query: [String: String] = [:]
        for item in text.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try decode(parts[0])
            let value = try decode(parts.dropFirst().first ?? "")
            if query[name] == nil { query[name] = value }
        }
        return query
    }

    private static func decode(_ text: Substring) throws(HTTPError) -> String {
        do throws(URLError) {
            return try Percent.decode(text, in: "request")
        } catch {
            throw .badRequest
        }
    }
}

/// Answers, as bytes. Every one of them ends its connection, except an upgrade and an event stream.
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
