import BroadcasterWire

/// The one timer of a runner, for the next of all its deadlines.
///
/// A timer that comes too early finds nothing to do and arms the next one; that is cheaper than a new timer for every
/// message that is published.
struct TurnTimer {
    private var armed: (at: Instant, cancel: @Sendable () -> Void)?

    /// True if nothing is called at `next` or before.
    func isLate(for next: Instant) -> Bool {
        armed.map { next < $0.at } ?? true
    }

    /// Sees to it that `action` is called at `next`, in place of the timer that is late for it.
    mutating func arm(
        at next: Instant, on host: any RunnerHost, _ action: @escaping @Sendable () -> Void
    ) {
        armed?.cancel()
        armed = (next, host.scheduleTurn(at: next, action))
    }

    /// Notes that the action has been called.
    mutating func fired() {
        armed = nil
    }

    mutating func cancel() {
        armed.take()?.cancel()
    }
}
