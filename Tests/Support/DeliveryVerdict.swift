/// The checker's verdict on one subscriber.
package struct DeliveryVerdict: Sendable {
    package enum Rule: String, Hashable, Sendable, CaseIterable {
        /// A log that cannot be read, or is cut short, decides nothing.
        case readableLog
        /// Every delivery was published, on a channel that was subscribed to.
        case published
        /// Numbers ascend on one channel: none comes twice, none too late.
        case ascending
        /// Numbers come in the order in which the server took them, across channels too.
        case serverOrder
        /// A gap stands in the place of missing acknowledged numbers.
        case gapInItsPlace
        /// A gap covers messages published before it was delivered, and none later.
        case gapAfterTheLoss
        /// Where the server keeps history, nothing is missing.
        case noGap
        /// An overflow reports the exact number of dropped messages.
        case exactCount
        /// Every subscriber receives the final messages.
        case finalMessage
    }

    package struct Violation: Hashable, Sendable, CustomStringConvertible {
        package let rule: Rule
        /// The line in the subscriber's log, from 1.
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
    /// Gaps without a missing message in their place. A lost connection need not have cost a message.
    package var emptyGaps = 0
    /// Overflows whose count was compared with the number of missing messages.
    package var countedOverflows = 0

    package var isCorrect: Bool { violationCount == 0 }

    mutating func add(_ rule: Rule, _ line: Int, _ what: String) {
        violationCount += 1
        guard violations.count < 20 else { return }
        violations.append(Violation(rule: rule, line: line, what: what))
    }
}
