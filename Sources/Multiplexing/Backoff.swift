/// The wait between attempts: exponential, with full jitter, so that the clients of a
/// restarted server do not all come back at once.
package struct Backoff: Hashable, Sendable {
    private let first: Duration = .milliseconds(50)
    package let longest: Duration
    /// A connection that has held for so long begins the waiting anew.
    let steady: Duration

    /// - Parameter longest: shorter than publishers wait, so that a server that is back is found in time for them.
    package init(longest: Duration = .seconds(2)) {
        self.longest = longest
        steady = max(longest, .seconds(5))
    }

    /// - Parameters:
    ///   - chance: from 0 to 1, drawn by the caller.
    ///   - limit: the longest delay, where that is shorter.
    func delay(attempt: Int, chance: Double, limit: Duration? = nil) -> Duration {
        let ceiling = min(longest, limit ?? longest, first * (1 << min(attempt, 16)))
        // Never none at all: a connection that is refused at once must not become a busy loop.
        return max(.milliseconds(10), ceiling * chance)
    }
}
