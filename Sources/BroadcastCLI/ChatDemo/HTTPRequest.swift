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

    /// True if the request comes from a page that this server has served, or from no page at all (curl).
    ///
    /// Browsers send `Origin` with every WebSocket handshake and POST, and a page cannot change it: a foreign page
    /// must not speak with a person's chat.
    var isSameOrigin: Bool {
        guard let origin = headers["origin"] else { return true }
        return origin == "http://\(headers["host"] ?? "")"
            || origin == "https://\(headers["host"] ?? "")"
    }
}
