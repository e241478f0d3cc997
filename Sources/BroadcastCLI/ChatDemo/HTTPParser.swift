import BroadcasterWire

/// Reads one request from bytes that come in pieces (RFC 9112). A value.
struct HTTPParser: Sendable {
    /// The request line and all headers.
    static let headLimit = 16_384
    static let bodyLimit = 65_536

    private var bytes: [UInt8] = []
    /// The number of bytes searched for the end of the head.
    private var searched = 0
    private var head: (request: HTTPRequest, bodyStart: Int, bodyLength: Int)?

    /// Adds the bytes that have come. Returns the request when it is whole; bytes after it stay in `rest`.
    mutating func receive(_ piece: some Sequence<UInt8>) throws(HTTPError) -> HTTPRequest? {
        bytes += piece
        if head == nil { head = try readHead() }
        guard let head, bytes.count >= head.bodyStart + head.bodyLength else { return nil }
        var request = head.request
        request.body = Array(bytes[head.bodyStart..<head.bodyStart + head.bodyLength])
        return request
    }

    /// The bytes after the request.
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
        do throws(ServerURLError) {
            return try Percent.decode(text, in: "request")
        } catch {
            throw .badRequest
        }
    }
}
