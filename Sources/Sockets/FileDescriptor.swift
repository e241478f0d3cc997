internal import Glibc

/// A file descriptor that is closed when its owner is destroyed.
package struct FileDescriptor: ~Copyable, Sendable {
    package let number: Int32

    package init(owning number: Int32) {
        self.number = number
    }

    /// Raises this process's limit of descriptors, 1,024 in most shells, to the most that the system permits.
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

/// Repeats a call while a signal interrupts it. Returns its result, or throws the error in `errno`.
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
