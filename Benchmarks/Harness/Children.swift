import BroadcasterSockets
import BroadcasterTestSupport
import Glibc
import Synchronization

/// The programs that run now. When the harness is told to end, none is left behind.
enum Children {
    private static let running = Mutex<[pid_t: ServerProcess]>([:])
    /// What else is to be done before the end: servers go when they are released.
    private static let release = Mutex<(@Sendable () -> Void)?>(nil)

    static func start(_ words: [String], mergesErrors: Bool = true) throws -> ServerProcess {
        let process = try ServerProcess(words, mergesErrors: mergesErrors)
        running.withLock { $0[process.identifier] = process }
        return process
    }

    static func forget(_ process: ServerProcess) {
        process.signal(SIGKILL)
        running.withLock { $0[process.identifier] = nil }
    }

    static func atEnd(_ body: @escaping @Sendable () -> Void) {
        release.withLock { $0 = body }
    }

    /// Ends everything on SIGINT, SIGTERM and SIGHUP. The handler does what a handler may, a write to a pipe; a
    /// thread waits at the other end.
    static func endOnSignals() throws {
        let reading = ends.reading
        try Thread.start("signals") {
            var number: UInt8 = 0
            while read(reading, &number, 1) != 1 {}
            endAll()
            _exit(128 + Int32(number))
        }
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { number in
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(Children.ends.writing, &byte, 1)
            }
        }
    }

    private static let ends: (reading: Int32, writing: Int32) = {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }()

    static func endAll() {
        let processes = running.withLock { Array($0.values) }
        for process in processes { process.signal(SIGKILL) }
        release.withLock { $0.take() }?()
    }
}
