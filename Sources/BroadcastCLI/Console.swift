import BroadcasterSockets
import Glibc

/// Standard output and standard error, a whole line at a time, straight to the descriptors.
enum Console {
    static func output(_ line: String) {
        write(Array((line + "\n").utf8), to: STDOUT_FILENO)
    }

    static func error(_ line: String) {
        write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { space in
                unsafe Glibc.write(descriptor, space.baseAddress, space.count)
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // Somebody else's doing: whoever we share the pipe with has made it non-blocking.
                var space = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&space, 1, -1)
            } else if errno != EINTR {
                giveUp(descriptor, errno)
            }
        }
    }

    /// Ends the command, since its output is lost: the status tells that, and standard error why.
    private static func giveUp(_ descriptor: Int32, _ code: Int32) -> Never {
        if code == EPIPE { takeBrokenPipe() }
        // The reader has gone, as head(1) does: usual, and without words.
        if descriptor == STDOUT_FILENO, code != EPIPE {
            error("broadcast: \(SocketError("write", "standard output", code: code))")
        }
        exit(Failure.Status.other.rawValue)
    }

    /// Lets SIGPIPE end the program, unless it is ignored. Threads of the pool that were made by the event loop's block all
    /// signals, as that does: there the signal of the write is still waiting.
    private static func takeBrokenPipe() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }
}
