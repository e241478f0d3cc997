import BroadcasterWire

/// The nodes that could not be reached, or that ended a connection, and when to try them again.
struct AbsentNodes: Sendable {
    private var nodes: [Endpoint: (failures: Int, until: Instant)] = [:]

    private static let shortest: Duration = .milliseconds(50)
    private static let longest: Duration = .seconds(1)

    /// Returns true for the first failure in a row.
    mutating func failed(_ endpoint: Endpoint, at now: Instant) -> Bool {
        let failures = (nodes[endpoint]?.failures ?? 0) + 1
        let delay = min(AbsentNodes.shortest * (1 << min(failures, 6)), AbsentNodes.longest)
        nodes[endpoint] = (failures, now + delay)
        return failures == 1
    }

    mutating func succeeded(_ endpoint: Endpoint) {
        nodes[endpoint] = nil
    }

    func mayDial(_ endpoint: Endpoint, at now: Instant) -> Bool {
        nodes[endpoint].map { now >= $0.until } ?? true
    }
}
