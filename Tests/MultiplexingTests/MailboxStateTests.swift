import BroadcasterMultiplexing
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let origin = Origin(channel: "c")

/// A run of messages, each a number of eight bytes.
private func run(_ numbers: Range<Int>) -> MessageBlock {
    var collector = MessageCollector()
    for number in numbers {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        _ = collector.add(bytes.span, bytes.indices, topic: 0, origin: origin)
    }
    guard let block = collector.finish() else { preconditionFailure("a run of no messages") }
    return block
}

private func limits(
    _ messages: Int, bytes: Int = .max, _ overflow: MailboxLimits.Overflow = .dropOldest
) -> MailboxLimits {
    MailboxLimits(messages: messages, bytes: bytes, overflow: overflow)
}

/// A subscriber's deliveries, in short: a message's number, `-n` for n lost, `gap`, `end`.
private func drain(_ mailbox: inout MailboxState) -> [String] {
    var seen: [String] = []
    while let delivery = mailbox.next() {
        switch delivery {
        case .message(let message):
            seen.append("\(message.bytes.reversed().reduce(0) { $0 << 8 | Int($1) })")
        case .gap(.overflow(let lost)): seen.append("-\(lost)")
        case .gap(.undeliverable): seen.append("?")
        case .gap(.connectionLost(_, let duration)): seen.append("gap\(duration / .seconds(1))")
        case .end(let failure):
            return seen + [failure.map { "\($0)" } ?? "end"]
        }
    }
    return seen
}

struct MailboxStateTests {
    private let start = Instant.now

    @Test func deliversInOrder() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.offer(run(0..<3))
        mailbox.offer(run(3..<4))
        #expect(drain(&mailbox) == ["0", "1", "2", "3"])
        #expect(mailbox.next() == nil)
    }

    @Test func theOldestAreDroppedAndTheGapStandsBeforeTheRest() {
        var mailbox = MailboxState(limits: limits(3))
        mailbox.offer(run(0..<2))
        mailbox.offer(run(2..<5))
        #expect(drain(&mailbox) == ["-2", "2", "3", "4"])
    }

    /// Each message that a pattern matches keeps a name of its own.
    @Test(arguments: [MailboxLimits.Overflow.dropOldest, .dropNewest])
    func namesThatAPatternMatchesCount(overflow: MailboxLimits.Overflow) {
        var mailbox = MailboxState(limits: limits(1000, bytes: 10_000, overflow))
        for number in 0..<100 {
            var collector = MessageCollector()
            let name = Origin(channel: String(repeating: "n", count: 992), pattern: "*")
            let bytes = [UInt8](repeating: UInt8(number), count: 8)
            _ = collector.add(bytes.span, bytes.indices, topic: 0, origin: name)
            if let block = collector.finish() { mailbox.offer(block) }
        }
        #expect(mailbox.count == 10)
        #expect(mailbox.byteCount == 10_000)
        _ = drain(&mailbox)
        #expect(mailbox.byteCount == 0)
    }

    @Test func theNewestAreDroppedAndTheGapStandsAfterTheRest() {
        var mailbox = MailboxState(limits: limits(3, .dropNewest))
        mailbox.offer(run(0..<2))
        mailbox.offer(run(2..<5))
        mailbox.offer(run(5..<6))
        #expect(drain(&mailbox) == ["0", "1", "2", "-3"])
        mailbox.offer(run(6..<7))
        #expect(drain(&mailbox) == ["6"])
    }

    @Test func failingEndsAfterWhatThereWas() {
        var mailbox = MailboxState(limits: limits(2, .fail))
        mailbox.offer(run(0..<5))
        mailbox.offer(run(5..<6))
        #expect(drain(&mailbox) == ["0", "1", "overflow(lost: 3)"])
    }

    @Test func bytesAreBoundedToo() {
        var mailbox = MailboxState(limits: limits(100, bytes: 20))
        mailbox.offer(run(0..<5))
        #expect(mailbox.byteCount <= 20)
        #expect(drain(&mailbox) == ["-3", "3", "4"])
        var other = MailboxState(limits: limits(100, bytes: 20, .dropNewest))
        other.offer(run(0..<5))
        #expect(drain(&other) == ["0", "1", "-3"])
    }

    @Test(arguments: [MailboxLimits.Overflow.dropOldest, .dropNewest, .fail])
    func aMessageLargerThanTheWholeBufferIsHeldAlone(overflow: MailboxLimits.Overflow) {
        var mailbox = MailboxState(limits: limits(100, bytes: 4, overflow))
        mailbox.offer(run(0..<1))
        #expect(drain(&mailbox) == ["0"])
        mailbox.offer(run(1..<3))
        #expect(mailbox.count == 1)
    }

    @Test func aLossStandsInItsPlaceAndIsReportedWhenItIsOver() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.offer(run(0..<2))
        mailbox.interrupt([0], at: start, reason: "x")
        mailbox.offer(run(2..<3))
        #expect(drain(&mailbox) == ["0", "1"])
        #expect(!mailbox.isReady)
        mailbox.restore(0, isResumed: false, at: start + .seconds(3))
        #expect(drain(&mailbox) == ["gap3.0", "2"])
    }

    @Test func lossesBeforeTheFirstIsOverAreOne() {
        var mailbox = MailboxState(limits: limits(100))
        for second in 0..<3 { mailbox.interrupt([0], at: start + .seconds(second), reason: "x") }
        mailbox.restore(0, isResumed: false, at: start + .seconds(5))
        #expect(drain(&mailbox) == ["gap5.0"])
    }

    @Test func endingDoesNotWaitForALossToBeOver() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.offer(run(0..<1))
        mailbox.interrupt([0], at: start, reason: "x")
        mailbox.finish(nil)
        #expect(drain(&mailbox) == ["0", "end"])
    }

    @Test func gapsDoNotPileUpWhileNobodyReads() {
        var mailbox = MailboxState(limits: limits(1))
        for second in 0..<1000 {
            mailbox.offer(run(second..<second + 2))
            mailbox.interrupt([0], at: start + .seconds(second), reason: "x")
            mailbox.restore(0, isResumed: false, at: start + .seconds(second + 1))
        }
        let seen = drain(&mailbox)
        #expect(seen.count <= 4, "\(seen)")
        #expect(seen.contains("-1999"))
    }

    /// Compares with a simple model: every message is delivered once and in order, or counted in a gap that stands
    /// between its neighbours.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func eachMessageIsDeliveredOrReportedAsLost(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let overflow = [MailboxLimits.Overflow.dropOldest, .dropNewest][Int(seed % 2)]
        let bound = Int.random(in: 1...20, using: &random)
        var mailbox = MailboxState(
            limits: limits(bound, bytes: bound * Int.random(in: 6...10, using: &random), overflow))
        var next = 0
        var expected = 0
        var now = start
        var openGaps = 0
        func check(_ seen: [String]) {
            for item in seen {
                if let number = Int(item), number >= 0, !item.hasPrefix("-") {
                    #expect(number == expected, "seed \(seed)")
                    expected = number + 1
                } else if item.hasPrefix("-") {
                    expected += Int(item.dropFirst()) ?? 0
                }
            }
        }
        for _ in 0..<2000 {
            now += .seconds(1)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let count = Int.random(in: 1...6, using: &random)
                mailbox.offer(run(next..<next + count))
                next += count
            case 5:
                mailbox.interrupt([0], at: now, reason: "x")
                openGaps += 1
            case 6:
                mailbox.restore(0, isResumed: false, at: now)
                openGaps = 0
            default:
                if openGaps == 0 { check(drain(&mailbox)) }
            }
            #expect(mailbox.count <= bound)
        }
        mailbox.restore(0, isResumed: false, at: now)
        check(drain(&mailbox))
        #expect(expected == next, "seed \(seed)")
        #expect(mailbox.delivered + mailbox.dropped == next)
    }
}
