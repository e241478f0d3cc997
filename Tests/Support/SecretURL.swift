/// A URL with a password that is written as no manual allows it: with marks of the URL's own, escapes that are none,
/// and accents in it. Nothing that is printed may have a piece of it, and no piece be taken for a host.
package struct SecretURL: Sendable {
    /// A text that every piece of the password has, wherever it is cut.
    package static let mark = "SECRET"

    package let text: String
    /// An @ of its own ends the password, so that nothing of it is a host; else only the errors count.
    package let hasHost: Bool

    private static let schemes = [
        "redis", "valkey", "rediss", "unix", "redis+unix", "postgres", "postgresql", "memory",
        "http", "", "amqp", "rabbitmq",
    ]
    private static let separators = [
        "@", "/", "?", "#", ":", "%", "&", "=", ",", "[", "]", "\\", " ", "\n", "\0", ";", "+",
        "%40",
        "%zz", "%0", "%ff", "%2F", "//", "://", "@@", "@h:1", "@h/", "@[::1]", "&db=", "&host=",
        "?host=", "&password=", "?dbname=", "&a=", "&ping=", "/0?", "\u{301}", "@\u{301}",
        "/\u{301}",
        "ü", "1", "",
    ]
    private static let tails = [
        "", ":6379", ":port", "/0", "/x", "/0/", "?db=x", "?ping=never", "?a=b", "?a", "?a=b&a=c",
        "/%zz", ",h", ":1,h:2/d?port=x", "?sslmode=maybe", "?client_name=a@b", "#f",
        "/d?hostaddr=h", "?heartbeat=x", "/v?exchange=",
    ]

    /// - Parameter bytes: each decides one thing; those that are missing count as zero.
    package init(_ bytes: some Sequence<UInt8>) {
        var rest = bytes.makeIterator()
        func pick<Element>(_ list: [Element]) -> Element {
            list[Int(rest.next() ?? 0) % list.count]
        }
        let scheme = pick(Self.schemes)
        let form = pick([0, 1, 2, 3])
        hasHost = form < 2
        let tail = pick(Self.tails)
        var password = Self.mark
        while let byte = rest.next() {
            // The greater half stands for itself: characters that nobody has thought of.
            let separator =
                byte < 0x80
                ? Self.separators[Int(byte) % Self.separators.count]
                : String(Unicode.Scalar(byte & 0x7f))
            password += separator + Self.mark
        }
        text =
            switch form {
            case 0: "\(scheme)://user:\(password)@h\(tail)"
            case 1: "\(scheme)://:\(password)@h\(tail)"
            case 2: "\(scheme)://h/0?password=\(password)&x=y"
            // A URL without a host: the password stands where a port would.
            default: "\(scheme)://user:\(password)\(tail)"
            }
    }

    /// True if a text has a piece of the password.
    package static func isShown(in text: String) -> Bool {
        text.lowercased().contains(mark.lowercased())
    }
}
