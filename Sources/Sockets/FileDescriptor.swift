internal import Glibc

/// A file descriptor that is closed when its owner goes.
package struct FileDescriptor: ~Copyable, Sendable {
    package let number: Int32

    package init(owning number: Int32) {
        self.number = number
    }

    /// Allows this process as many descriptors as the system permits it, in place of the 1,024 of most
    /// shells.
    package static func raiseLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(resource, &limit)
    }

    deinit {
        // Not repeated on EINTR: Linux has released the number by then (close(2)).
        _ = close(number)
    }
}

/// Calls again while a signal interrupts. The result is the call's, or nil with `errno` as the error.
func uninterrupted<Number: SignedInteger>(
    _ call: String, _ subject: @autoclosure () -> String = "", _ body: () -> Number
) throws(SocketError) -> Number {
    while true {
        let result = body()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw SocketError(call, subject(), code: code) }
    }
}
