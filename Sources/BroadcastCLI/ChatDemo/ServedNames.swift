/// The names by which the chat may be asked for.
///
/// A page may have its own name resolve to this machine once it is loaded (DNS rebinding): its requests then bear its own
/// name as `Host` and `Origin`, which agree. So the name itself has to be one of ours. An address needs no name server, so
/// it cannot be rebound: a request by address comes from a page of that address.
struct ServedNames: Sendable {
    private let names: Set<String>

    /// - Parameter names: those that are served beside this machine's own and all addresses.
    init(_ names: [String]) {
        self.names = Set(names.map { $0.lowercased() } + ["localhost"])
    }

    /// True if a request with this `Host` header is answered (RFC 9110 §7.2: a name or an address, and perhaps a port).
    func contains(_ host: String) -> Bool {
        let host = host.lowercased()
        if host.utf8.first == UInt8(ascii: "[") { return ServedNames.isIPv6(host) }
        let name = String(Substring(host.utf8.prefix { $0 != UInt8(ascii: ":") }))
        return names.contains(name) || ServedNames.isIPv4(name)
    }

    private static func isIPv4(_ name: String) -> Bool {
        let numbers = name.utf8.split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return numbers.count == 4
            && numbers.allSatisfy { number in
                (1...3).contains(number.count)
                    && number.allSatisfy { (0x30...0x39).contains($0) }
            }
    }

    /// In brackets no name can stand.
    private static func isIPv6(_ host: String) -> Bool {
        let inside = host.utf8.dropFirst().prefix { $0 != UInt8(ascii: "]") }
        return !inside.isEmpty && inside.allSatisfy { "0123456789abcdef:.".utf8.contains($0) }
    }
}
