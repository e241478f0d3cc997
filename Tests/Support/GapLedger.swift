/// The gaps of one subscriber's log, and the number of messages missing in their places.
///
/// The messages missing on a channel are missing between two of its messages, and several gaps may stand between
/// these. Gaps that share such a stretch are accounted for together.
struct GapLedger: Sendable {
    struct Gap: Sendable {
        /// The number reported to the subscriber.
        let lost: Int?
        let line: Int
        let moment: Int
        /// An earlier gap of its group, or itself if it is the first.
        fileprivate var group: Int
        /// The messages missing in stretches that begin before this gap; the group's sum is that of its gaps.
        fileprivate var atLeast = 0
        fileprivate var atMost = 0
    }

    /// Gaps that share a stretch, and the messages missing there: at least the acknowledged ones, at most all
    /// published ones.
    struct Account {
        var line = 0
        var gaps = 0
        var told = 0
        var isCounted = true
        var atLeast = 0
        var atMost = 0
    }

    private(set) var gaps: [Gap] = []

    var count: Int { gaps.count }

    mutating func add(lost: Int?, line: Int, moment: Int) {
        gaps.append(Gap(lost: lost, line: line, moment: moment, group: gaps.count))
    }

    /// Counts the messages missing between two messages of a channel, between which these gaps stand.
    mutating func miss(atLeast: Int, atMost: Int, in stretch: Range<Int>) {
        guard atMost > 0, let first = stretch.first else { return }
        for index in stretch.dropFirst() where gaps[index].group == index {
            gaps[index].group = first
        }
        gaps[first].atLeast += atLeast
        gaps[first].atMost += atMost
    }

    var accounts: [Account] {
        var accounts = [Account](repeating: Account(), count: gaps.count)
        var group: [Int] = []
        for (index, gap) in gaps.enumerated() {
            group.append(gap.group == index ? index : group[gap.group])
            let first = group[index]
            if first == index { accounts[first].line = gap.line }
            accounts[first].gaps += 1
            accounts[first].told += gap.lost ?? 0
            accounts[first].isCounted = accounts[first].isCounted && gap.lost != nil
            accounts[first].atLeast += gap.atLeast
            accounts[first].atMost += gap.atMost
        }
        return accounts.filter { $0.gaps > 0 }
    }
}
