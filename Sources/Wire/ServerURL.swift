/// A server's URL, taken apart: `scheme://[user[:password]@]host[:port][,host[:port]…][/path][?…]`.
///
/// Percent-escapes are decoded. What a part means is the backend's affair. A URL that cannot be
/// taken apart throws an error that never shows the URL, since a password may stand anywhere in it.
package struct ServerURL: Sendable {
    package struct Host: Hashable, Sendable {
        package let name: String
        package let port: UInt16?
    }

    package let scheme: String
    package let user: String?
    package let password: String?
    package let hosts: [Host]
    /// Without the `/` that begins it after a host; whole where there is no host.
    package let path: String
    package var options: URLOptions

    package init(_ text: String) throws(URLError) {
        let head = text.prefix { $0 != ":" }
        guard !head.isEmpty, text.dropFirst(head.count).hasPrefix("://") else {
            throw URLError("the URL has no scheme: expected SCHEME://HOST:PORT")
        }
        scheme = head.lowercased()
        let whole = text.dropFirst(head.count + 3)
        let authority = whole.prefix { !"/?#".contains($0) }
        // Else a password with one of these in it would be read as a host, and shown in an error.
        if !authority.isEmpty, !authority.contains("@"), whole.contains("@") {
            throw URLError(
                "an @ after the host: a user name or password with one of / ? # in it needs"
                    + " them percent-encoded (%2F %3F %23), and so does an @ that follows")
        }
        let rest = whole.prefix { $0 != "#" }
        let query = rest.firstIndex(of: "?")
        let address = rest[..<(query ?? rest.endIndex)]
        options = try URLOptions(query.map { rest[rest.index(after: $0)...] } ?? "")
        // The last @ ends the user and password: an unescaped @ in a password is common.
        let at = authority.lastIndex(of: "@")
        let login = at.map { authority[..<$0] }
        let parts = login?.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        user = try parts?.first.map { (part) throws(URLError) in
            try Percent.decode(part, in: "user name")
        }
        password = try parts?.dropFirst().first.map { (part) throws(URLError) in
            try Percent.decode(part, in: "password")
        }
        hosts = try ServerURL.hosts(
            at.map { authority[authority.index(after: $0)...] } ?? authority)
        var path = try Percent.decode(address.dropFirst(authority.count), in: "path")
        if !hosts.isEmpty, path.hasPrefix("/") { path.removeFirst() }
        self.path = path
    }

    private static func hosts(_ list: Substring) throws(URLError) -> [Host] {
        var hosts: [Host] = []
        for item in list.split(separator: ",") { hosts.append(try host(item)) }
        return hosts
    }

    private static func host(_ item: Substring) throws(URLError) -> Host {
        var name = item
        var port: Substring?
        if item.first == "[" {
            guard let end = item.firstIndex(of: "]") else {
                throw URLError("the host begins with [ and has no ]: write an IPv6 host as [::1]")
            }
            name = item[item.index(after: item.startIndex)..<end]
            let tail = item[item.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else {
                throw URLError("after the ] of an IPv6 host only :port may follow")
            }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = item.firstIndex(of: ":") {
            name = item[..<colon]
            port = item[item.index(after: colon)...]
        }
        if port?.contains(":") == true {
            throw URLError("more than one : in the host: write an IPv6 host as [::1]")
        }
        return Host(name: try Percent.decode(name, in: "host"), port: try number(port))
    }

    private static func number(_ port: Substring?) throws(URLError) -> UInt16? {
        guard let port, !port.isEmpty else { return nil }
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = UInt16(port), number > 0
        else {
            // Not shown: it may be a piece of a password.
            throw URLError(
                "the port is not a number from 1 to 65535"
                    + " (a password with one of / ? # @ in it needs them percent-encoded)")
        }
        return number
    }
}

/// What is wrong with a URL, in words, without any secret of it.
package struct URLError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Percent-encoding (RFC 3986 §2.1).
package enum Percent {
    package static func decode(_ text: Substring, in part: String) throws(URLError) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2).map { hexDigitValue($0) }
            guard digits.count == 2, let high = digits[0], let low = digits[1] else {
                throw URLError(
                    "bad escape in the \(part): % needs two hexadecimal digits after it"
                        + " (a % itself is written %25)")
            }
            rest = rest.dropFirst(2)
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw URLError("the \(part) is not UTF-8 after its escapes are decoded")
        }
        return decoded
    }

    private static func hexDigitValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
