/// One table: some programs that do the same, side by side.
struct Measurement: Sendable {
    /// One line of the table: a program that is run, and prints what it took.
    struct Subject: Sendable {
        let name: String
        let words: [String]
        /// How many messages it is fed, where something is.
        let count: Int
        /// Why it cannot run on this machine.
        var missing: String?
        var isPeer = false
    }

    let title: String
    let subjects: [Subject]
    /// Called when a subject has said that it is ready, with its count.
    var feed: (@Sendable (Int) async throws -> Void)?
    /// The figures of the table; ratios to peers are those of the first.
    var metrics: [Metric] = [.cpuPerMessage, .rate, .peak]
    var targets: [Target] = []
    /// Extra work of its own in place of running `words`.
    var sampling: (@Sendable (Subject) async throws -> Sample)?
}

/// What a figure shall be, on its own or as a multiple of a peer's in the same run.
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
