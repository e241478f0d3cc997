/// The wait between attempts: exponential, with full jitter, so that the clients of a
/// restarted server do not all come back at once.
package struct Backoff: Hashable, Sendable {
    package var first: Duration = .milliseconds(50)
    package var longest: Duration = .seconds(5)

    package init() {}

    /// - Parameter chance: from 0 to 1, drawn by the caller.
    func delay(attempt: Int, chance: Double) -> Duration {
        let ceiling = min(longest, first * (1 << min(attempt, 16)))
        // Never none at all: a connection that is refused at once must not become a busy loop.
        return max(.milliseconds(10), ceiling * chance)
    }
}
