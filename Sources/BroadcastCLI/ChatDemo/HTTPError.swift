/// A refusal of a request: a status of HTTP (RFC 9110 §15).
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
