internal import Glibc

/// A listening socket. Non-blocking, closed on exec.
package final class Listener: Sendable {
    private let socket: Socket
    /// The address that it listens on. If port 0 was asked for, it holds the port that the kernel chose.
    package let address: SocketAddress

    /// - Parameter backlog: connections that wait to be accepted; the kernel caps it (listen(2)).
    package init(at wanted: SocketAddress, backlog: Int32 = 1024) throws(SocketError) {
        let socket = try Socket(family: wanted.family)
        if wanted.family != AF_UNIX { try socket.setOption(SOL_SOCKET, SO_REUSEADDR, 1) }
        _ = try uninterrupted("bind", wanted.description) {
            unsafe wanted.withPointer { unsafe bind(socket.number, $0, $1) }
        }
        _ = try uninterrupted("listen", wanted.description) { listen(socket.number, backlog) }
        self.socket = socket
        address = wanted.family == AF_UNIX ? wanted : try Listener.name(of: socket)
    }

    /// The socket that becomes readable when a client connects.
    package var watched: Socket { socket }

    /// Accepts the next connection; nil while there is none.
    package func accept() throws(SocketError) -> Socket? {
        while true {
            let number = Glibc.accept(socket.number, nil, nil)
            if number >= 0 { return try Listener.adopt(FileDescriptor(owning: number)) }
            switch errno {
            case EAGAIN: return nil
            // The client has gone again, or a signal came (accept(2)).
            case EINTR, ECONNABORTED: continue
            default: throw SocketError("accept", address.description, code: errno)
            }
        }
    }

    /// Does in three calls what accept4(2) does in one: Glibc's module hides it behind _GNU_SOURCE.
    private static func adopt(
        _ descriptor: consuming FileDescriptor
    ) throws(SocketError) -> Socket {
        let number = descriptor.number
        _ = try uninterrupted("fcntl") { fcntl(number, F_SETFD, FD_CLOEXEC) }
        _ = try uninterrupted("fcntl") { fcntl(number, F_SETFL, O_NONBLOCK) }
        return Socket(owning: descriptor)
    }

    private static func name(of socket: Socket) throws(SocketError) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return try unsafe withUnsafeMutablePointer(to: &storage) { pointer throws(SocketError) in
            try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                address throws(SocketError) in
                _ = try uninterrupted("getsockname") {
                    unsafe getsockname(socket.number, address, &length)
                }
                return unsafe SocketAddress(copying: address, length: length)
            }
        }
    }
}
