/// A server's URL, taken apart: `scheme://[user[:password]@]host[:port][,host[:port]…][/path][?…]`.
///
/// Percent-escapes are decoded. What a part means is the backend's affair. A URL that cannot be taken apart
/// throws an error that never shows the URL, since a password may stand anywhere in it; neither does a backend's
/// error, which quotes a part with `show`.
///
/// A password with an unencoded `@ / ? #` in it would end early, its rest be read as a host, path or option, and a
/// piece of it be sent to that host. So these are refused wherever they could be that, and a URL is read byte by byte:
/// an `@` that a combining accent follows is an `@` to every other program.
public struct ServerURL: Sendable {
    /// A host with its port.
    public struct Host: Hashable, Sendable {
        /// The name or address, without the brackets of IPv6.
        public let name: String
        /// The port; nil where the URL has none.
        public let port: UInt16?
    }

    /// The scheme, in small letters.
    public var scheme: String
    /// The user; nil where the URL has none.
    public let user: String?
    /// The password; nil where the URL has none.
    public let password: String?
    /// One more than there are commas; none where nothing stands before the path. A name may be empty.
    public let hosts: [Host]
    /// Without the `/` that begins it after a host; whole where there is no host.
    public let path: String
    /// The options behind the `?`.
    public var options: URLOptions

    /// Takes a URL apart.
    ///
    /// - Throws: `ServerURLError`, which says what is wrong and never shows a password.
    public init(_ text: String) throws(ServerURLError) {
        let (head, tail) = ServerURL.cut(Substring(text), at: ":")
        guard !head.isEmpty, let tail, tail.utf8.starts(with: "//".utf8) else {
            throw ServerURLError("the URL has no scheme: expected SCHEME://HOST:PORT")
        }
        let rest = Substring(tail.utf8.dropFirst(2))
        try ServerURL.checkCharacters(text, after: rest)
        scheme = head.lowercased()
        let (address, query) = ServerURL.cut(rest, at: "?")
        let slash = address.utf8.firstIndex(of: UInt8(ascii: "/")) ?? address.endIndex
        let (first, second) = ServerURL.cut(address[..<slash], at: "@")
        let login = second.map { _ in ServerURL.cut(first, at: ":") }
        user = try login.map { (part) throws(ServerURLError) in
            try Percent.decode(part.0, in: "user name")
        }
        password = try login?.1.map { (part) throws(ServerURLError) in
            try Percent.decode(part, in: "password")
        }
        hosts = try ServerURL.hosts(second ?? first)
        let path = try Percent.decode(address[slash...], in: "path")
        self.path = hosts.isEmpty ? path : String(path.unicodeScalars.dropFirst())
        // Last: an error of theirs may quote them, if all before is a host and not `user:password`.
        options = try URLOptions(query ?? "", showsValues: !ServerURL.hasLogin(text))
    }

    /// A piece of the URL as an error shows it: in quotes, or not at all where it may be a piece of a password.
    public func show(_ piece: String) -> String {
        options.show(piece)
    }

    // MARK: What must not be there

    /// - Parameter rest: what follows the `://`.
    private static func checkCharacters(
        _ text: String, after rest: Substring
    ) throws(ServerURLError) {
        if text.utf8.first == UInt8(ascii: " ") || text.utf8.last == UInt8(ascii: " ") {
            throw ServerURLError("the URL begins or ends with a blank")
        }
        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw ServerURLError("a line break or another control character in the URL")
        }
        let isSign = { (byte: UInt8) in byte == UInt8(ascii: "@") }
        let authority = rest.utf8.prefix { !"/?#".utf8.contains($0) }
        let count = rest.utf8.count(where: isSign)
        guard count <= 1, count == authority.count(where: isSign) else {
            throw ServerURLError(
                "an @ after the host: a user name or password with one of / ? # @ in it needs them"
                    + " percent-encoded (%2F %3F %23 %40), and so does an @ that follows")
        }
        if rest.utf8.contains(UInt8(ascii: "#")) {
            throw ServerURLError(
                "a # in the URL: it has no fragment, and in a user name, password or option a # is"
                    + " written %23")
        }
    }

    /// True where a secret may stand in the URL, also in one that was written wrongly.
    private static func hasLogin(_ text: String) -> Bool {
        let text = text.lowercased()
        return ["@", "%40", "pass", "pwd", "secret", "token", "key"].contains(
            where: text.containsBytes)
    }

    // MARK: Hosts

    private static func hosts(_ list: Substring) throws(ServerURLError) -> [Host] {
        guard !list.isEmpty else { return [] }
        var hosts: [Host] = []
        for item in list.utf8.split(
            separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        {
            hosts.append(try host(Substring(item)))
        }
        return hosts
    }

    private static func host(_ item: Substring) throws(ServerURLError) -> Host {
        var (name, port) = cut(item, at: ":")
        if item.utf8.first == UInt8(ascii: "[") {
            let (inside, tail) = cut(Substring(item.utf8.dropFirst()), at: "]")
            guard let tail else {
                throw ServerURLError(
                    "the host begins with [ and has no ]: write an IPv6 host as [::1]")
            }
            guard tail.isEmpty || tail.utf8.first == UInt8(ascii: ":") else {
                throw ServerURLError("after the ] of an IPv6 host only :port may follow")
            }
            name = inside
            port = tail.isEmpty ? nil : Substring(tail.utf8.dropFirst())
        }
        if port?.utf8.contains(UInt8(ascii: ":")) == true {
            throw ServerURLError("more than one : in the host: write an IPv6 host as [::1]")
        }
        let decoded = try Percent.decode(name, in: "host")
        if decoded.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw ServerURLError("a control character in the host")
        }
        return Host(name: decoded, port: try number(port))
    }

    private static func number(_ port: Substring?) throws(ServerURLError) -> UInt16? {
        guard let port, !port.isEmpty else { return nil }
        guard let number = URLOptions.integer(port).flatMap(UInt16.init(exactly:)), number > 0
        else {
            // Not shown: it may be a piece of a password.
            throw ServerURLError(
                "the port is not a number from 1 to 65535"
                    + " (a password with one of / ? # @ in it needs them percent-encoded)")
        }
        return number
    }

    /// The text before the first `mark`, and the text after it; nil where there is none.
    private static func cut(
        _ text: Substring, at mark: Unicode.Scalar
    ) -> (Substring, Substring?) {
        guard let place = text.utf8.firstIndex(of: UInt8(ascii: mark)) else { return (text, nil) }
        return (text[..<place], text[text.utf8.index(after: place)...])
    }
}
