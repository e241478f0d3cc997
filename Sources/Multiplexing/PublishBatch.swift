import BroadcasterWire
import Synchronization

/// The results of the messages that one call publishes together.
final class PublishBatch: Sendable {
    typealias Outcome = Result<Receipt, PublishFailure>

    private struct State {
        var results: [Outcome]
        var open: Int
        var task: TaskWaiter<[Outcome]>?
    }

    private let state: Mutex<State>

    init(count: Int, _ task: TaskWaiter<[Outcome]>) {
        let unsettled = Outcome.failure(.closed)
        state = Mutex(
            State(
                results: Array(repeating: unsettled, count: count), open: count, task: task))
    }

    func settle(_ settled: ArraySlice<PublishQueue.Settled>) {
        let finished = state.withLock { state in
            for (waiter, result) in settled { state.results[waiter.index] = result }
            state.open -= settled.count
            return state.open == 0 ? state.task.take().map { ($0, state.results) } : nil
        }
        if let (task, results) = finished { task.resume(returning: results) }
    }
}
