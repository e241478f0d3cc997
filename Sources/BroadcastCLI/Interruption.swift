import BroadcasterSockets
import Glibc
import Synchronization

/// SIGINT and SIGTERM end a command properly: it leaves the server before it exits.
///
/// The handler does what a handler may, a write to a pipe; a thread waits at the other end. (Blocking the signals for
/// sigwait(3) does not do: libdispatch opens the first thread to them.)
enum Interruption {
    private struct State {
        var action: (@Sendable () -> Void)?
        var hasCome = false
    }

    private static let state = Mutex(State())
    private static let pipe = openPipe()

    /// As early as possible.
    static func prepare() {
        let reading = pipe.reading
        guard reading >= 0 else { return }
        try? Thread.start("signals") {
            var byte: UInt8 = 0
            while true {
                let count = unsafe read(reading, &byte, 1)
                if count > 0 { come() } else if errno != EINTR { return }
            }
        }
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                var byte: UInt8 = 1
                _ = unsafe write(Interruption.pipe.writing, &byte, 1)
            }
        }
    }

    private static func openPipe() -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        _ = unsafe Glibc.pipe(&ends)
        return (ends[0], ends[1])
    }

    private static func come() {
        // The first one counts; the end is under way then.
        let action = state.withLock { state in
            state.hasCome = true
            return state.action.take()
        }
        guard let action else { return }
        action()
        endSoon()
    }

    /// Long beside what any end takes. Where nobody reads what we write, none would ever be reached.
    private static func endSoon() {
        try? Thread.start("end") {
            _ = poll(nil, 0, 2000)
            exit(0)
        }
    }

    /// Sets the action for when one comes; it is taken at once where one has come already.
    static func handle(_ action: @escaping @Sendable () -> Void) {
        let hasCome = state.withLock { state in
            state.action = action
            return state.hasCome
        }
        guard hasCome else { return }
        action()
        endSoon()
    }
}
