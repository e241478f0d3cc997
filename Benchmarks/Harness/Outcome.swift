/// The samples of a measurement, and the figures computed from them.
struct Outcome: Sendable {
    let measurement: Measurement
    /// The samples by subject, in the order of the runs. Samples with the same number are of the same run.
    let samples: [String: [Sample]]

    func values(_ metric: Metric, of subject: String) -> [Double] {
        (samples[subject] ?? []).compactMap(metric.value)
    }

    func median(_ metric: Metric, of subject: String) -> Double? {
        Outcome.median(values(metric, of: subject))
    }

    /// The median of the ratios within each run.
    func ratio(_ metric: Metric, of subject: String, to peer: String) -> Double? {
        let pairs = zip(values(metric, of: subject), values(metric, of: peer))
        return Outcome.median(pairs.map { $1 == 0 ? .infinity : $0 / $1 })
    }

    /// The figure that a target is compared with; nil if a peer is missing.
    func value(for target: Target) -> Double? {
        guard let peer = target.peer else { return median(target.metric, of: target.subject) }
        return ratio(target.metric, of: target.subject, to: peer)
    }

    var peers: [String] {
        measurement.subjects.filter { $0.isPeer && samples[$0.name] != nil }.map(\.name)
    }

    static func median(_ values: [Double]) -> Double? {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return nil }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
