import BroadcasterTestSupport

/// The delivery checker, on files.
struct LogCheck {
    private let published: PublishedLog
    private let keepsHistory: Bool

    private let ordersChannels: Bool

    init(published path: String, keepsHistory: Bool, ordersChannels: Bool = true) throws {
        self.keepsHistory = keepsHistory
        published = PublishedLog(try LogLines(of: path))
        self.ordersChannels = ordersChannels
    }

    func verdict(on path: String) throws -> DeliveryVerdict {
        var checker = DeliveryChecker(
            published, keepsHistory: keepsHistory, ordersChannels: ordersChannels)
        for line in try LogLines(of: path) { checker.read(line) }
        return checker.finish()
    }
}

extension DeliveryVerdict {
    var summary: String {
        let gapText =
            gaps.listing + (emptyGaps > 0 ? " (\(emptyGaps) where nothing was lost)" : "")
            + (countedOverflows > 0 ? " (\(countedOverflows) overflows counted)" : "")
        return "\(delivered) delivered, \(covered) missing and covered, \(gapText): "
            + (isCorrect ? "correct" : "\(violationCount) VIOLATIONS")
    }
}
