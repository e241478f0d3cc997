import BroadcasterTestSupport
import Testing

/// Logs that are right, and logs that break each rule. A checker that finds nothing is worthless: each rule has a log
/// here that breaks it alone.
struct DeliveryCheckerTests {
    struct Logs: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var published = tenOfEach
        let subscriber: [String]
        /// The rule that it breaks; nil for none.
        var rule: DeliveryVerdict.Rule?
        var keepsHistory = false
        var verdict: DeliveryVerdict {
            DeliveryChecker.check(
                published: published.map { $0[...] }, subscriber: subscriber.map { $0[...] },
                keepsHistory: keepsHistory)
        }
    }

    /// Number n of both channels is sent at 10 n; first on a, then on b.
    static let tenOfEach =
        (1...10).flatMap { ["accepted a \($0) \($0 * 10)", "accepted b \($0) \($0 * 10)"] }
        + ["final a 10", "final b 10"]

    static func messages(_ numbers: ClosedRange<Int>, _ channel: String = "a") -> [String] {
        numbers.map { "message \(channel) \($0)" }
    }

    static let right: [Logs] = [
        Logs("all of one channel", ["subscribed 0 a"] + messages(1...10) + ["end"]),
        Logs(
            "all of both, in the server's order",
            ["subscribed 0 a b"] + (1...10).flatMap { ["message a \($0)", "message b \($0)"] }
                + ["end"]),
        Logs(
            "a gap in its place",
            ["subscribed 0 a"] + messages(1...3) + ["gap reconnected - 75"] + messages(8...10)
                + ["end"]),
        Logs(
            "a gap where nothing was lost",
            ["subscribed 0 a"] + messages(1...3) + ["gap reconnected - 35"] + messages(4...10)
                + ["end"]),
        Logs(
            "an overflow of four",
            ["subscribed 0 a"] + messages(1...3) + ["gap overflow 4 75"] + messages(8...10)
                + ["end"]),
        Logs(
            "two overflows with no message of one channel between them",
            ["subscribed 0 a b", "message a 1", "message b 1", "gap overflow 3 75", "message b 3"]
                + ["gap overflow 10 85", "message a 9", "message b 9", "message a 10"]
                + ["message b 10", "end"]),
        Logs(
            "a stretch of one channel joins two gaps that another channel keeps apart",
            joined(3, 3)),
        Logs(
            "an overflow and a lost connection in one stretch: undecidable",
            ["subscribed 0 a"] + messages(1...3) + ["gap overflow 2 75", "gap reconnected - 76"]
                + messages(8...10) + ["end"]),
        Logs(
            "what was sent before it subscribed is not owed",
            ["subscribed 45 a"] + messages(5...10) + ["end"]),
        Logs(
            "what was sent before it subscribed may come",
            ["subscribed 45 a"] + messages(4...10) + ["end"]),
        Logs("who leaves is owed nothing more", ["subscribed 0 a"] + messages(1...3) + ["left"]),
        Logs(
            "two visits",
            ["subscribed 0 a"] + messages(1...3) + ["left", "subscribed 55 a"] + messages(6...10)
                + ["end"]),
        Logs(
            "an unknown number that did not come", published: unknownFifth,
            ["subscribed 0 a"] + messages(1...4) + messages(6...10) + ["end"]),
        Logs(
            "an unknown number that came", published: unknownFifth,
            ["subscribed 0 a"] + messages(1...10) + ["end"]),
        Logs(
            "an unknown number may be among the fallen", published: unknownFifth,
            ["subscribed 0 a"] + messages(1...3) + ["gap overflow 3 75"] + messages(8...10)
                + ["end"]),
        Logs(
            "with history each channel has an order of its own",
            ["subscribed 0 a b"] + messages(1...10, "b") + messages(1...10) + ["end"],
            keepsHistory: true),
    ]

    /// A log without b 2 and b 4, each with a gap, and without a 2 to a 5, which both gaps may account for.
    static func joined(_ first: Int, _ second: Int) -> [String] {
        [
            "subscribed 0 a b", "message a 1", "message b 1", "gap overflow \(first) 55",
            "message b 3",
        ]
            + ["gap overflow \(second) 56", "message b 5", "message a 6", "message b 6"]
            + (7...10).flatMap { ["message a \($0)", "message b \($0)"] } + ["end"]
    }

    static let unknownFifth = tenOfEach.map {
        $0.hasPrefix("accepted a 5 ") ? "unknown a 5 50" : $0
    }

    static let wrong: [Logs] = [
        Logs(
            "one is missing", ["subscribed 0 a"] + messages(1...4) + messages(6...10) + ["end"],
            .gapInItsPlace),
        Logs(
            "the first is missing", ["subscribed 0 a"] + messages(2...10) + ["end"], .gapInItsPlace),
        Logs(
            "the last is missing", published: tenOfEach.filter { !$0.hasPrefix("final") },
            ["subscribed 0 a"] + messages(1...9) + ["end"], .gapInItsPlace),
        Logs(
            "a whole channel is missing", published: tenOfEach.filter { !$0.hasPrefix("final") },
            ["subscribed 0 a b"] + messages(1...10) + ["end"], .gapInItsPlace),
        Logs(
            "the gap comes one message too early",
            ["subscribed 0 a"] + messages(1...3) + ["gap reconnected - 75", "message a 4"]
                + messages(8...10) + ["end"], .gapInItsPlace),
        Logs(
            "the gap comes one message too late",
            ["subscribed 0 a"] + messages(1...3) + ["message a 8", "gap reconnected - 85"]
                + messages(9...10) + ["end"], .gapInItsPlace),
        Logs(
            "a gap of an earlier visit",
            ["subscribed 0 a"] + messages(1...3) + ["gap reconnected - 95", "left"]
                + ["subscribed 35 a"] + messages(6...10) + ["end"], .gapInItsPlace),
        Logs(
            "the second visit misses one",
            ["subscribed 0 a"] + messages(1...3) + ["left", "subscribed 55 a"] + messages(7...10)
                + ["end"], .gapInItsPlace),
        Logs(
            "a gap that was delivered before the loss",
            ["subscribed 0 a"] + messages(1...3) + ["gap reconnected - 55"] + messages(8...10)
                + ["end"], .gapAfterTheLoss),
        Logs(
            "twice", ["subscribed 0 a"] + messages(1...5) + messages(5...10) + ["end"], .ascending),
        Logs(
            "twice, with a gap between",
            ["subscribed 0 a"] + messages(1...5) + ["gap reconnected - 60"] + messages(5...10)
                + ["end"], .ascending),
        Logs(
            "twice, in two visits",
            ["subscribed 0 a"] + messages(1...3) + ["left", "subscribed 35 a"] + messages(3...10)
                + ["end"], .ascending),
        Logs(
            "two change places",
            ["subscribed 0 a"] + messages(1...4)
                + ["gap reconnected - 60", "message a 6", "message a 5"] + messages(7...10)
                + ["end"], .ascending),
        Logs(
            "two channels change places",
            ["subscribed 0 a b"] + (1...10).flatMap { ["message b \($0)", "message a \($0)"] }
                + ["end"], .serverOrder),
        Logs(
            "a gap where history is kept",
            ["subscribed 0 a"] + messages(1...3) + ["gap reconnected - 35"] + messages(4...10)
                + ["end"], .noGap, keepsHistory: true),
        Logs(
            "one is missing where history is kept",
            ["subscribed 0 a"] + messages(1...4) + messages(6...10) + ["end"], .gapInItsPlace,
            keepsHistory: true),
        Logs(
            "never published", ["subscribed 0 a"] + messages(1...11) + ["end"], .published),
        Logs(
            "of a channel that it did not ask for",
            ["subscribed 0 a"] + messages(1...10) + ["message b 10", "end"], .published),
        Logs(
            "one too few in an overflow",
            ["subscribed 0 a"] + messages(1...3) + ["gap overflow 3 75"] + messages(8...10)
                + ["end"], .exactCount),
        Logs(
            "one too many in an overflow",
            ["subscribed 0 a"] + messages(1...3) + ["gap overflow 5 75"] + messages(8...10)
                + ["end"], .exactCount),
        Logs(
            "an overflow where nothing is missing",
            ["subscribed 0 a"] + messages(1...3) + ["gap overflow 1 35"] + messages(4...10)
                + ["end"], .exactCount),
        Logs(
            "an overflow of none",
            ["subscribed 0 a"] + messages(1...3) + ["gap overflow 0 75", "gap reconnected - 76"]
                + messages(8...10) + ["end"], .exactCount),
        Logs(
            "an overflow of more than is missing, beside a lost connection",
            ["subscribed 0 a"] + messages(1...3) + ["gap reconnected - 75", "gap overflow 5 76"]
                + messages(8...10) + ["end"], .exactCount),
        Logs(
            "one too many in two overflows that share a stretch",
            ["subscribed 0 a b", "message a 1", "message b 1", "gap overflow 3 75", "message b 3"]
                + ["gap overflow 11 85", "message a 9", "message b 9", "message a 10"]
                + ["message b 10", "end"], .exactCount),
        Logs(
            "one too few in two overflows that a stretch joins later", joined(3, 2), .exactCount),
        Logs(
            "deaf after a gap",
            ["subscribed 0 a"] + messages(1...8) + ["gap reconnected - 200", "end"], .finalMessage),
        Logs("cut short", ["subscribed 0 a"] + messages(1...10), .readableLog),
        Logs("empty", [], .readableLog),
        Logs("never subscribed", messages(1...10) + ["end"], .readableLog),
        Logs(
            "not a line", ["subscribed 0 a"] + messages(1...10) + ["message a x", "end"],
            .readableLog),
        Logs(
            "something after the end", ["subscribed 0 a"] + messages(1...10) + ["end", "end"],
            .readableLog),
        Logs(
            "a published log that lacks one",
            published: tenOfEach.filter { $0 != "accepted b 4 40" },
            ["subscribed 0 a"] + messages(1...10) + ["end"], .readableLog),
        Logs(
            "a published log that lacks the first",
            published: tenOfEach.filter { $0 != "accepted b 1 10" },
            ["subscribed 0 a"] + messages(1...10) + ["end"], .readableLog),
        Logs(
            "a published log that cannot be read", published: tenOfEach + ["accepted b"],
            ["subscribed 0 a"] + messages(1...10) + ["end"], .readableLog),
    ]

    @Test(arguments: right)
    func nothingIsFoundInLogsThatAreRight(logs: Logs) {
        #expect(logs.verdict.violations.map(\.description) == [])
    }

    @Test(arguments: wrong)
    func whatIsWrongIsFoundAndNamed(logs: Logs) {
        let verdict = logs.verdict
        #expect(Set(verdict.violations.map(\.rule)) == [logs.rule])
        #expect(!verdict.isCorrect)
    }

    @Test func everyRuleIsBrokenByALog() {
        #expect(Set(Self.wrong.compactMap(\.rule)) == Set(DeliveryVerdict.Rule.allCases))
    }

    @Test func whatGapsCoverIsCounted() {
        let verdict = Self.right[7].verdict
        #expect(verdict.delivered == 6)
        #expect(verdict.covered == 4)
        #expect(verdict.gaps == ["overflow": 1, "reconnected": 1])
        #expect(Self.right[3].verdict.emptyGaps == 1)
        #expect(Self.right[4].verdict.countedOverflows == 1)
        #expect(verdict.countedOverflows == 0)
    }

    @Test func linesAreWrittenAsTheyAreRead() {
        let published = ["accepted a 1 10", "unknown b 2 20", "final a 1"]
        #expect(published.map { PublishedLine($0[...])?.text } == published)
        let subscriber = [
            "subscribed 5 a b", "message a 1", "gap overflow 3 10", "gap reconnected - 11", "left",
            "end",
        ]
        #expect(subscriber.map { SubscriberLine($0[...])?.text } == subscriber)
    }
}

extension DeliveryCheckerTests.Logs {
    init(
        _ name: String, published: [String] = DeliveryCheckerTests.tenOfEach,
        _ subscriber: [String], _ rule: DeliveryVerdict.Rule? = nil, keepsHistory: Bool = false
    ) {
        self.init(
            testDescription: name, published: published, subscriber: subscriber, rule: rule,
            keepsHistory: keepsHistory)
    }
}
