import BroadcasterWire
import Synchronization

/// The first success or failure of a runner, and its end, with the calls that wait for them.
final class ConnectOutcome: Sendable {
    typealias Outcome = Result<ServerIdentity, ConnectionFailure>

    private struct State {
        var result: Outcome?
        var isEnded = false
        var reconnects = 0
        var lastWaiter = 0
        /// Calls that have begun to wait, and not been abandoned.
        var expected: Set<Int> = []
        var waitingForResult: [Int: CheckedContinuation<Outcome, Never>] = [:]
        var waitingForEnd: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var reconnects: Int { state.withLock { $0.reconnects } }

    /// The connection has been there, and has not ended for good.
    var isReady: Bool {
        state.withLock { state in
            if case .success = state.result { !state.isEnded } else { false }
        }
    }

    var hasEnded: Bool { state.withLock { $0.isEnded } }

    /// The first result stays; each later success is a reconnection.
    func settle(_ result: Outcome) {
        let waiting = state.withLock { state in
            if state.result == nil {
                state.result = result
            } else if case .success = result {
                state.reconnects += 1
            }
            defer { state.waitingForResult = [:] }
            return state.waitingForResult
        }
        for waiter in waiting.values { waiter.resume(returning: result) }
    }

    func end() {
        let waiting = state.withLock { state in
            state.isEnded = true
            defer { state.waitingForEnd = [] }
            return state.waitingForEnd
        }
        for waiter in waiting { waiter.resume() }
    }

    func newWaiter() -> Int {
        state.withLock { state in
            state.lastWaiter += 1
            state.expected.insert(state.lastWaiter)
            return state.lastWaiter
        }
    }

    func opened(_ waiter: Int) async -> Outcome {
        defer { state.withLock { _ = $0.expected.remove(waiter) } }
        return await withCheckedContinuation { continuation in
            let result: Outcome? = state.withLock { state in
                if let result = state.result { return result }
                if !state.expected.contains(waiter) { return .failure(.cancelled) }
                state.waitingForResult[waiter] = continuation
                return nil
            }
            if let result { continuation.resume(returning: result) }
        }
    }

    /// The task of this waiter was cancelled; the others go on.
    func abandon(_ waiter: Int) {
        let continuation = state.withLock { state in
            state.expected.remove(waiter)
            return state.waitingForResult.removeValue(forKey: waiter)
        }
        continuation?.resume(returning: .failure(.cancelled))
    }

    func ended() async {
        await withCheckedContinuation { continuation in
            let isEnded = state.withLock { state in
                if !state.isEnded { state.waitingForEnd.append(continuation) }
                return state.isEnded
            }
            if isEnded { continuation.resume() }
        }
    }
}
