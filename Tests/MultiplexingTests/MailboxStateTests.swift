import BroadcasterMultiplexing
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let origin = Origin(channel: "c")

/// A run of messages, each a number of eight bytes.
private func run(_ numbers: Range<Int>, topic: Int = 0) -> MessageBlock {
    var collector = MessageCollector()
    for number in numbers {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        _ = collector.add(bytes.span, bytes.indices, topic: topic, origin: origin)
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
        case .gap(.dropped(let lost, _)): seen.append("~\(lost)")
        case .gap(.connectionLost(_, let duration)): seen.append("gap\(duration / .seconds(1))")
        case .gap(.trimmed(let lost)): seen.append("trimmed\(lost ?? -1)")
        case .gap(.reset): seen.append("reset")
        case .end(let failure):
            return seen + [failure.map { "\($0)" } ?? "end"]
        }
    }
    return seen
}

struct MailboxStateTests {
    private let start = Instant.now

    @Test func whatTheServerHasDroppedIsAGapWithItsCount() {
        var mailbox = MailboxState(limits: limits(10))
        mailbox.miss(0, .dropped(lost: 3, "full"))
        mailbox.miss(0, .dropped(lost: 4, "full"))
        #expect(drain(&mailbox) == ["~7"])
        mailbox.interrupt([0], at: start, reason: "lost")
        mailbox.miss(0, .dropped(lost: 2, "full"))
        #expect(drain(&mailbox) == [])
        mailbox.restore(0, isResumed: false, at: start + .seconds(1))
        #expect(drain(&mailbox) == ["gap1.0", "~2"])
    }

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

    @Test func topicsThatWereNotLostPassByAGap() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.offer(run(0..<1, topic: 1))
        mailbox.interrupt([1, 2], at: start, reason: "x")
        mailbox.offer(run(10..<11, topic: 3))
        #expect(drain(&mailbox) == ["0", "10"])
        mailbox.restore(1, isResumed: false, at: start + .seconds(1))
        mailbox.offer(run(1..<2, topic: 1))
        mailbox.offer(run(11..<12, topic: 3))
        #expect(
            drain(&mailbox) == ["11"], "one loss is one gap: 1 waits for 2, which was lost with it")
        mailbox.restore(2, isResumed: false, at: start + .seconds(4))
        #expect(drain(&mailbox) == ["gap4.0", "1"])
    }

    @Test func twoLossesDoNotWaitForEachOther() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.interrupt([1], at: start, reason: "x")
        mailbox.interrupt([2], at: start + .seconds(1), reason: "y")
        mailbox.restore(2, isResumed: false, at: start + .seconds(2))
        mailbox.offer(run(20..<21, topic: 2))
        #expect(drain(&mailbox) == ["gap1.0", "20"])
        mailbox.offer(run(0..<1, topic: 1))
        mailbox.restore(1, isResumed: false, at: start + .seconds(9))
        #expect(drain(&mailbox) == ["gap9.0", "0"])
    }

    /// Two servers die one after the other, and then the whole session.
    @Test func aLossThatTakesInOthersIsOneWithThem() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.interrupt([1], at: start, reason: "x")
        mailbox.interrupt([2], at: start + .seconds(1), reason: "y")
        mailbox.interrupt([1, 2, 3], at: start + .seconds(2), reason: "z")
        for topic in 1...3 {
            #expect(drain(&mailbox) == [])
            mailbox.restore(topic, isResumed: false, at: start + .seconds(5))
        }
        #expect(drain(&mailbox) == ["gap5.0"])
    }

    /// A second loss comes while messages of the first wait: they stand between the two gaps.
    @Test func messagesBetweenTwoLossesStandBetweenTheirGaps() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.interrupt([1, 2], at: start, reason: "x")
        mailbox.restore(1, isResumed: false, at: start + .seconds(1))
        mailbox.offer(run(0..<2, topic: 1))
        for second in 2..<9 {
            mailbox.interrupt([1, 2], at: start + .seconds(second), reason: "y")
        }
        for topic in 1...2 {
            mailbox.restore(topic, isResumed: false, at: start + .seconds(10))
        }
        #expect(drain(&mailbox) == ["gap10.0", "0", "1", "gap8.0"])
    }

    @Test func aResumedTopicHasNoGapAndDoesNotWaitForOthers() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.interrupt([1, 2], at: start, reason: "x")
        mailbox.restore(1, isResumed: true, at: start)
        mailbox.offer(run(0..<1, topic: 1))
        #expect(drain(&mailbox) == ["0"])
        mailbox.offer(run(20..<21, topic: 2))
        mailbox.restore(2, isResumed: true, at: start + .seconds(1))
        #expect(drain(&mailbox) == ["20"])
    }

    @Test func whatWaitsBehindAGapCountsAndIsDroppedLast() {
        var mailbox = MailboxState(limits: limits(3))
        mailbox.interrupt([1], at: start, reason: "x")
        mailbox.offer(run(0..<2, topic: 1))
        mailbox.offer(run(20..<22, topic: 2))
        #expect(mailbox.count == 3)
        #expect(drain(&mailbox) == ["-1", "21"])
        mailbox.restore(1, isResumed: false, at: start + .seconds(1))
        #expect(drain(&mailbox) == ["gap1.0", "0", "1"])
        #expect(mailbox.count == 0 && mailbox.byteCount == 0)
    }

    @Test func endingDeliversWhatWaitsBehindAGap() {
        var mailbox = MailboxState(limits: limits(100))
        mailbox.interrupt([1, 2], at: start, reason: "x")
        mailbox.restore(1, isResumed: false, at: start)
        mailbox.offer(run(0..<1, topic: 1))
        mailbox.finish(nil)
        #expect(drain(&mailbox) == ["0", "end"])
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

    /// The model for several topics, of which any set is lost and comes back topic by topic: each topic's messages come
    /// once and in order, those of a topic that is not lost at once, and between two of a topic that it was lost
    /// between there is a gap.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func eachTopicIsInOrderAndOnlyLostTopicsWait(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var mailbox = MailboxState(limits: limits(100_000))
        var topics = Array(repeating: TopicModel(), count: 4)
        var now = start
        func take() {
            while let delivery = mailbox.next() {
                switch delivery {
                case .message(let message):
                    let number = message.bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
                    topics[number / 1000].taken(number % 1000, seed)
                case .gap: for topic in topics.indices { topics[topic].sawGap = true }
                case .end: Issue.record("ended")
                }
            }
        }
        for _ in 0..<900 {
            now += .seconds(1)
            let topic = Int.random(in: 0..<4, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                let lost = (0..<4).filter { _ in Bool.random(using: &random) }
                mailbox.interrupt(lost, at: now, reason: "x")
                for topic in lost { topics[topic].lost() }
            case 1, 2:
                mailbox.restore(topic, isResumed: false, at: now)
                topics[topic].isLost = false
            case 3: take()
            default:
                guard !topics[topic].isLost else { continue }
                let number = topic * 1000 + topics[topic].next
                mailbox.offer(run(number..<number + 1, topic: topic))
                topics[topic].offered()
            }
        }
        for topic in topics.indices { mailbox.restore(topic, isResumed: false, at: now) }
        take()
        for topic in topics { #expect(topic.expected == topic.next, "seed \(seed)") }
    }
}

/// What one topic's messages must look like.
private struct TopicModel {
    var next = 0
    var expected = 0
    var isLost = false
    var sawGap = false
    /// The numbers of messages that are the first after a loss.
    private var afterLoss: Set<Int> = []
    private var wasLost = false

    mutating func lost() {
        isLost = true
        wasLost = true
    }

    mutating func offered() {
        if wasLost { afterLoss.insert(next) }
        wasLost = false
        next += 1
    }

    mutating func taken(_ number: Int, _ seed: UInt64) {
        #expect(number == expected, "seed \(seed)")
        if afterLoss.contains(number) { #expect(sawGap, "seed \(seed): no gap before \(number)") }
        expected = number + 1
        sawGap = false
    }
}
