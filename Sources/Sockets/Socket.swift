internal import Glibc

/// A connected or connecting stream socket: non-blocking, closed on exec, without SIGPIPE.
///
/// Every member is one system call; the state is the kernel's, so any thread may call.
package final class Socket: Sendable {
    package enum Connecting: Hashable, Sendable {
        case connected
        /// The socket becomes writable when the outcome is known; see `finishConnecting`.
        case inProgress
    }

    package enum Reading: Hashable, Sendable {
        case bytes(Int)
        case wouldBlock
        case end
    }

    let descriptor: FileDescriptor

    init(owning descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    package init(family: Int32) throws(SocketError) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let number = try uninterrupted("socket") {
            socket(family, type | Int32(SOCK_CLOEXEC.rawValue), 0)
        }
        descriptor = FileDescriptor(owning: number)
        if family != AF_UNIX { try configureTCP() }
    }

    package var number: Int32 { descriptor.number }

    /// Sets low latency, and lets the kernel notice a dead peer. The kernel asks after 10 s of silence and then every
    /// 5 s, three times; TCP_USER_TIMEOUT gives up data unacknowledged for as long as that takes in all (lettuce
    /// #2082: a smaller one would overrule the keepalive).
    private func configureTCP() throws(SocketError) {
        let tcp = Int32(IPPROTO_TCP)
        try setOption(tcp, TCP_NODELAY, 1)
        try setOption(SOL_SOCKET, SO_KEEPALIVE, 1)
        try setOption(tcp, TCP_KEEPIDLE, 10)
        try setOption(tcp, TCP_KEEPINTVL, 5)
        try setOption(tcp, TCP_KEEPCNT, 3)
        try setOption(tcp, Socket.tcpUserTimeout, 25_000)
    }

    /// TCP_USER_TIMEOUT of <linux/tcp.h>, which Glibc's module hides behind a feature macro.
    private static let tcpUserTimeout: Int32 = 18

    func setOption(_ level: Int32, _ name: Int32, _ value: Int32) throws(SocketError) {
        var value = value
        _ = try uninterrupted("setsockopt") {
            unsafe setsockopt(
                number, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// Makes closing send RST instead of FIN: for tests of a peer.
    package func resetsWhenClosed() {
        var lingering = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(
            number, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
    }

    package func connect(to address: SocketAddress) throws(SocketError) -> Connecting {
        let status = unsafe address.withPointer { unsafe Glibc.connect(number, $0, $1) }
        if status == 0 { return .connected }
        // EINTR: the kernel goes on with the attempt (POSIX connect()).
        if errno == EINPROGRESS || errno == EINTR { return .inProgress }
        throw SocketError("connect", address.description, code: errno)
    }

    /// Checks the outcome of a connection that was in progress, once the socket is writable.
    package func finishConnecting(to address: SocketAddress) throws(SocketError) {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        _ = try uninterrupted("getsockopt") {
            unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &size)
        }
        if code != 0 { throw SocketError("connect", address.description, code: code) }
    }

    /// Reads at most `limit` bytes to the end of `bytes`.
    package func read(to bytes: inout [UInt8], limit: Int) throws(SocketError) -> Reading {
        var count = 0
        var code: Int32 = 0
        bytes.append(addingCapacity: limit) { (tail: inout OutputSpan<UInt8>) in
            unsafe tail.withUnsafeMutableBufferPointer { space, initialized in
                repeat {
                    count = unsafe recv(number, space.baseAddress, limit, 0)
                    code = count < 0 ? errno : 0
                } while code == EINTR
                initialized = max(count, 0)
            }
        }
        if count > 0 { return .bytes(count) }
        if count == 0 { return .end }
        if code == EAGAIN { return .wouldBlock }
        throw SocketError("read", code: code)
    }

    /// Writes from `bytes[start...]`. Returns how many bytes the kernel took; 0 if its buffer is full.
    package func write(_ bytes: [UInt8], from start: Int) throws(SocketError) -> Int {
        let flags = Int32(MSG_NOSIGNAL)
        while true {
            let count = unsafe bytes.withUnsafeBytes { space in
                unsafe send(
                    number, space.baseAddress?.advanced(by: start), space.count - start, flags)
            }
            if count >= 0 { return count }
            if errno == EAGAIN { return 0 }
            if errno != EINTR { throw SocketError("write", code: errno) }
        }
    }

    /// Sends FIN: the peer reads the bytes sent before, and then the end.
    package func finishWriting() {
        _ = shutdown(number, Int32(SHUT_WR))
    }
}
