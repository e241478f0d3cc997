internal import Glibc

/// An address that a socket can be connected or bound to: the bytes of a `sockaddr`.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]
    package let description: String

    /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
    package var family: Int32 {
        Int32(UInt16(bytes[0]) | UInt16(bytes[1]) << 8)
    }

    /// A Unix-domain socket. Its path has at most 107 bytes (unix(7)).
    package init(unixPath path: String) throws(SocketError) {
        let name = Array(path.utf8)
        let capacity = MemoryLayout<sockaddr_un>.size - MemoryLayout<sa_family_t>.size
        guard !name.isEmpty, name.count < capacity, !name.contains(0) else {
            throw SocketError(
                "socket path: expected 1 to \(capacity - 1) bytes without NUL, found \(name.count)")
        }
        bytes = [UInt8(AF_UNIX), 0] + name + [0]
        description = path
    }

    init(copying address: UnsafePointer<sockaddr>, length: socklen_t) {
        let raw = unsafe UnsafeRawBufferPointer(start: address, count: Int(length))
        bytes = unsafe Array(raw)
        description = unsafe SocketAddress.describe(address, length)
    }

    /// The port of an IP address, or 0.
    package var port: UInt16 {
        family == AF_UNIX ? 0 : UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        unsafe bytes.withUnsafeBytes { raw in
            unsafe body(
                raw.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: sockaddr.self),
                socklen_t(raw.count))
        }
    }

    private static func describe(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> String
    {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let status = unsafe getnameinfo(
            address, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
            NI_NUMERICHOST | NI_NUMERICSERV)
        guard status == 0 else { return "unknown address" }
        let name = text(host)
        let port = text(service)
        return name.utf8.contains(UInt8(ascii: ":")) ? "[\(name)]:\(port)" : "\(name):\(port)"
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
