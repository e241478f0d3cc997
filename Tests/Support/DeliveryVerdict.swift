/// What the checker says of one subscriber.
package struct DeliveryVerdict: Sendable {
    package enum Rule: String, Hashable, Sendable, CaseIterable {
        /// A log that cannot be read, or is cut short, decides nothing.
        case readableLog
        /// What is delivered was published, on a channel that was subscribed to.
        case published
        /// On one channel numbers ascend: none comes twice, none too late.
        case ascending
        /// Across channels too they come in the order in which the server took them.
        case serverOrder
        /// Where acknowledged numbers are missing, a gap stands in their place.
        case gapInItsPlace
        /// A gap speaks of what was published before it was delivered, and of nothing later.
        case gapAfterTheLoss
        /// An overflow says exactly how many fell.
        case exactCount
        /// At the end everybody receives what is published.
        case finalMessage
    }

    package struct Violation: Hashable, Sendable, CustomStringConvertible {
        package let rule: Rule
        /// In the subscriber's log, from 1.
        package let line: Int
        package let what: String

        package var description: String { "\(line): \(rule): \(what)" }
    }

    /// The first ones; see `violationCount`.
    private(set) package var violations: [Violation] = []
    private(set) package var violationCount = 0
    package var delivered = 0
    /// Acknowledged messages that were not delivered, and that a gap covers.
    package var covered = 0
    /// Gaps by their reasons.
    package var gaps: [String: Int] = [:]
    /// Gaps in whose place nothing is missing. A lost connection need not have cost a message.
    package var emptyGaps = 0
    /// Overflows whose count was compared with what is missing.
    package var countedOverflows = 0

    package var isCorrect: Bool { violationCount == 0 }

    mutating func add(_ rule: Rule, _ line: Int, _ what: String) {
        violationCount += 1
        guard violations.count < 20 else { return }
        violations.append(Violation(rule: rule, line: line, what: what))
    }
}
