internal import CBroadcasterEpoll
internal import Glibc

/// Threads outside of Swift's pool, which the event loop and blocking look-ups must not occupy.
package enum Thread {
    /// Runs `body` on a new detached thread. `name` is cut to 15 bytes, which is all that Linux keeps.
    package static func start(
        _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SocketError) {
        let box = Body(name: String(name.prefix(15)), run: body)
        var attributes = pthread_attr_t()
        _ = unsafe pthread_attr_init(&attributes)
        defer { _ = unsafe pthread_attr_destroy(&attributes) }
        _ = unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        // Neither the loop nor getaddrinfo recurses; 8 MiB each, the default, is not needed.
        _ = unsafe pthread_attr_setstacksize(&attributes, 1 << 20)
        var thread = pthread_t()
        let argument = unsafe Unmanaged.passRetained(box)
        // Signals belong to the program's own threads: a new thread inherits the mask set here.
        var all = sigset_t()
        var before = sigset_t()
        _ = unsafe sigfillset(&all)
        _ = unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        let code = unsafe pthread_create(&thread, &attributes, main, argument.toOpaque())
        _ = unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        if code != 0 {
            unsafe argument.release()
            throw SocketError("pthread_create", name, code: code)
        }
    }

    /// The new thread's first function.
    private static let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? =
        { argument in
            guard let argument = unsafe argument else { return nil }
            let box = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
            setName(box.name)
            box.run()
            return nil
        }

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Sets the name that top, gdb and perf show. (pthread_setname_np hides behind _GNU_SOURCE.)
    private static func setName(_ name: String) {
        let number = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { return }
        let file = FileDescriptor(owning: number)
        _ = unsafe write(file.number, name, name.utf8.count)
    }

    /// The identity of the calling thread.
    package static var current: UInt {
        UInt(pthread_self())
    }
}
