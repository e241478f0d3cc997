internal import Synchronization

/// Lines that a test has logged.
package final class LogLines: Sendable {
    private let state = Mutex<[String]>([])

    package init() {}

    package var lines: [String] { state.withLock { $0 } }

    package func append(_ line: String) {
        state.withLock { $0.append(line) }
    }
}
