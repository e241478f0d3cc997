import BroadcasterSockets
import BroadcasterTestSupport
import Glibc
import Synchronization

/// The programs that run now. When the harness is told to end, none is left behind.
enum Children {
    private static let running = Mutex<[pid_t: ServerProcess]>([:])
    /// What else is to be done before the end: servers go when they are released.
    private static let release = Mutex<(@Sendable () -> Void)?>(nil)

    static func start(_ words: [String]) throws -> ServerProcess {
        let process = try ServerProcess(words)
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

    /// Ends everything on SIGINT, SIGTERM and SIGHUP. Before any thread is started: they inherit that these
    /// signals are blocked, and one thread waits for them.
    static func endOnSignals() throws {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let waited = signals
        try Thread.start("signals") {
            var number: Int32 = 0
            var signals = waited
            sigwait(&signals, &number)
            endAll()
            _exit(128 + number)
        }
    }

    static func endAll() {
        let processes = running.withLock { Array($0.values) }
        for process in processes { process.signal(SIGKILL) }
        release.withLock { $0.take() }?()
    }
}
