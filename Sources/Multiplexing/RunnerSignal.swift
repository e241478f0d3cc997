import Synchronization

/// Breaks the circle between the queue, which signals, and the runner, which owns the queue.
final class RunnerSignal: Sendable {
    private struct WeakLink {
        weak var runner: SessionRunner?
    }

    private let target = Mutex(WeakLink())

    func attach(_ runner: SessionRunner) {
        target.withLock { $0.runner = runner }
    }

    func signal() {
        target.withLock { $0.runner }?.post { $0.turn() }
    }
}
