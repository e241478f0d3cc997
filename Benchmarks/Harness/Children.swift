import BroadcasterSockets
import BroadcasterTestSupport
import Glibc
import Synchronization

/// The programs that run now. A harness that a signal ends leaves none of them behind.
enum Children {
    private static let running = Mutex<[pid_t: ServerProcess]>([:])
    private static let ending = Atomic(false)

    /// A signal has come, and a thread is ending everything.
    static var isEnding: Bool { ending.load(ordering: .acquiring) }

    static func start(_ words: [String], mergesErrors: Bool = true) throws -> ServerProcess {
        if isEnding { throw BenchmarkError("told to end") }
        let process = try ServerProcess(words, mergesErrors: mergesErrors)
        running.withLock { $0[process.identifier] = process }
        return process
    }

    /// Runs a program to its end.
    static func run(_ words: [String]) async throws {
        let process = try start(words)
        defer { forget(process) }
        let said = await process.remainingLines()
        guard await process.waitForExit() == 0 else {
            throw BenchmarkError("\(words[0]) failed: \(said.joined(separator: "\n"))")
        }
    }

    static func forget(_ process: ServerProcess) {
        process.signal(SIGKILL)
        running.withLock { $0[process.identifier] = nil }
    }

    /// Ends everything on SIGINT, SIGTERM and SIGHUP: the programs, the servers, and the harness. The handler only
    /// writes to a pipe, as a handler may; a thread waits at the other end.
    static func endOnSignals(with servers: Servers) throws {
        let reading = ends.reading
        try Thread.start("signals") {
            var number: UInt8 = 0
            while read(reading, &number, 1) != 1 {}
            let status = 128 + Int32(number)
            endAll()
            Task.detached {
                await servers.end()
                _exit(status)
            }
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
        ending.store(true, ordering: .releasing)
        let processes = running.withLock { Array($0.values) }
        for process in processes { process.signal(SIGKILL) }
    }
}
