internal import Glibc

/// A file descriptor that is closed when its owner goes.
package struct FileDescriptor: ~Copyable, Sendable {
    package let number: Int32

    package init(owning number: Int32) {
        self.number = number
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
