/// One table: several programs with the same work, side by side.
struct Measurement: Sendable {
    /// One line of the table: a program that runs, and prints its cost.
    struct Subject: Sendable {
        let name: String
        let words: [String]
        /// The number of messages that it is fed, if any.
        let count: Int
        /// The reason why it cannot run on this machine.
        var missing: String?
        var isPeer = false
    }

    let title: String
    let subjects: [Subject]
    /// Feeds a subject, given its count, when it has reported that it is ready.
    var feed: (@Sendable (Int) async throws -> Void)?
    /// The figures of the table; ratios to peers are those of the first.
    var metrics: [Metric] = [.cpuPerMessage, .rate, .peak]
    var targets: [Target] = []
    /// Takes a sample by other work than running `words`.
    var sampling: (@Sendable (Subject) async throws -> Sample)?
}

/// The goal for a figure, on its own or as a multiple of a peer's in the same run.
struct Target: Sendable {
    enum Bound: String, Sendable {
        case atMost = "≤"
        case atLeast = "≥"
    }

    let metric: Metric
    let subject: String
    let bound: Bound
    let limit: Double
    var peer: String?

    static func atMost(
        _ limit: Double, _ metric: Metric, of subject: String, times peer: String? = nil
    ) -> Target {
        Target(metric: metric, subject: subject, bound: .atMost, limit: limit, peer: peer)
    }

    static func atLeast(
        _ limit: Double, _ metric: Metric, of subject: String, times peer: String? = nil
    ) -> Target {
        Target(metric: metric, subject: subject, bound: .atLeast, limit: limit, peer: peer)
    }

    func isMet(by value: Double) -> Bool {
        bound == .atMost ? value <= limit : value >= limit
    }
}
