internal import Glibc

/// Finds the addresses of a host, on a thread of its own: getaddrinfo blocks, and cannot be stopped.
package enum NameResolution {
    /// Calls `completion` on the look-up's thread. The caller sets the deadline, and ignores a late answer.
    package static func start(
        host: String, port: UInt16,
        completion: @escaping @Sendable (Result<[SocketAddress], SocketError>) -> Void
    ) {
        // A numeric address needs no look-up, and so no thread.
        if let numeric = try? resolve(host: host, port: port, flags: AI_NUMERICHOST) {
            return completion(.success(numeric))
        }
        do throws(SocketError) {
            try Thread.start("resolve") {
                do throws(SocketError) {
                    completion(.success(try resolve(host: host, port: port)))
                } catch {
                    completion(.failure(error))
                }
            }
        } catch {
            completion(.failure(error))
        }
    }

    /// Looks up a name, and blocks while the name server is asked.
    package static func resolve(
        host: String, port: UInt16, flags: Int32 = 0
    ) throws(SocketError) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = flags | AI_NUMERICSERV
        var first: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &first)
        guard status == 0 else {
            if status == EAI_SYSTEM { throw SocketError("look up", host, code: errno) }
            throw SocketError("look up \(host): \(unsafe String(cString: gai_strerror(status)))")
        }
        defer { unsafe freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        var next = unsafe first
        while let entry = unsafe next?.pointee {
            if let address = unsafe entry.ai_addr {
                addresses.append(
                    unsafe SocketAddress(copying: address, length: entry.ai_addrlen))
            }
            unsafe next = entry.ai_next
        }
        return interleaved(addresses)
    }

    /// Alternates the families, beginning with the first address's (RFC 8305 §4): if one family is dead, the second
    /// attempt already uses the other.
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let family = addresses.first?.family else { return [] }
        let preferred = addresses.filter { $0.family == family }
        let other = addresses.filter { $0.family != family }
        var result: [SocketAddress] = []
        for index in 0..<max(preferred.count, other.count) {
            if index < preferred.count { result.append(preferred[index]) }
            if index < other.count { result.append(other[index]) }
        }
        return result
    }
}
