import Synchronization

/// Lets one through at a time, until it is closed; then whoever closed it can wait for the last one.
final class Turnstile: Sendable {
    private struct State {
        var isBusy = false
        var isClosed = false
        var closer: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// False if it is closed.
    func begin() -> Bool {
        state.withLock { state in
            state.isBusy = !state.isClosed
            return state.isBusy
        }
    }

    func end() {
        let closer = state.withLock { state in
            state.isBusy = false
            return state.closer.take()
        }
        closer?.resume()
    }

    func close() {
        state.withLock { $0.isClosed = true }
    }

    /// Returns when nobody is inside.
    func ended() async {
        await withCheckedContinuation { continuation in
            let isBusy = state.withLock { state in
                if state.isBusy { state.closer = continuation }
                return state.isBusy
            }
            if !isBusy { continuation.resume() }
        }
    }

    /// Never returns if it is closed: the program is ended by whoever did that.
    func stayIfClosed() async {
        guard state.withLock({ $0.isClosed }) else { return }
        let (forever, end) = AsyncStream<Never>.makeStream()
        for await _ in forever {}
        end.finish()
    }
}
