import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct ReceiveBufferTests {
    @Test func whatIsConsumedIsGoneAndTheRestStays() {
        var buffer = ReceiveBuffer([1, 2, 3, 4])
        buffer.consume(upTo: 3)
        #expect(buffer.count == 1)
        buffer.append([5])
        #expect(Array(buffer.bytes[buffer.start...]) == [4, 5])
    }

    @Test func placesInTheStreamSurviveCompaction() {
        var buffer = ReceiveBuffer(Array(repeating: 0, count: 10))
        buffer.consume(upTo: 7)
        buffer.append([9])
        #expect(buffer.streamOffset(of: buffer.start) == 7)
        buffer.consume(upTo: buffer.bytes.count)
        buffer.append([1])
        #expect(buffer.streamOffset(of: buffer.start) == 11)
    }
}

struct QueueTests {
    @Test(arguments: [1 as UInt64, 2, 3, 4, 5])
    func behavesAsAnArrayDoes(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = Queue<Int>()
        var model: [Int] = []
        for step in 0..<5000 {
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                queue.append(step)
                model.append(step)
            case 2: #expect(queue.removeFirst() == (model.isEmpty ? nil : model.removeFirst()))
            case 3 where !model.isEmpty:
                let place = Int.random(in: 0..<model.count, using: &random)
                queue.remove(at: place)
                model.remove(at: place)
            case 4 where !model.isEmpty:
                queue.first = -step
                model[0] = -step
            default: break
            }
            #expect(queue.count == model.count)
            #expect(queue.first == model.first)
            #expect(queue.last == model.last)
        }
        #expect((0..<queue.count).map { queue[$0] } == model)
    }
}

struct TopicIndexTests {
    @Test(arguments: [1 as UInt64, 2, 3])
    func behavesAsADictionaryDoes(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var index = TopicIndex()
        var model: [String: Int] = [:]
        for step in 0..<4000 {
            let name = "channel-\(Int.random(in: 0..<300, using: &random))"
            if Bool.random(using: &random) {
                index.insert(Topic(id: step, name: .channel(name)))
                model[name] = step
            } else {
                index.remove(name)
                model[name] = nil
            }
            #expect(index.count == model.count)
        }
        for number in 0..<300 {
            let name = Array("channel-\(number)".utf8)
            let found = index.find(name.span, name.indices)
            #expect(found?.topic == model["channel-\(number)"])
        }
    }

    @Test func emptyAndBinaryNamesAreNamesToo() {
        var index = TopicIndex()
        for (id, name) in ["", "\0", "\r\n", "é", "e\u{301}"].enumerated() {
            index.insert(Topic(id: id, name: .channel(name)))
        }
        for (id, name) in ["", "\0", "\r\n", "é", "e\u{301}"].enumerated() {
            let bytes = Array(name.utf8)
            #expect(index.find(bytes.span, bytes.indices)?.topic == id)
        }
    }
}

struct MessageBlockTests {
    private typealias Message = (topic: Int, bytes: [UInt8])

    private let origins = (0..<4).map { Origin(channel: "\($0)") }

    private func blocks(of messages: [Message]) -> [MessageBlock] {
        var collector = MessageCollector()
        var blocks: [MessageBlock] = []
        for (topic, bytes) in messages {
            let finished = collector.add(
                bytes.span, bytes.indices, topic: topic, origin: origins[topic])
            if let finished { blocks.append(finished) }
        }
        if let last = collector.finish() { blocks.append(last) }
        #expect(collector.finish() == nil)
        return blocks
    }

    private func messages(in block: MessageBlock) -> [Message] {
        (0..<block.runCount).flatMap { number in
            let (run, topic) = (block.extent(ofRun: number), block.topic(ofRun: number))
            #expect(block.origin(ofRun: number) === origins[topic])
            var offset = run.start
            let messages = (0..<run.count).map { _ in
                let range = block.message(at: offset)
                offset = range.upperBound
                return (topic: topic, bytes: Array(block.storage[range]))
            }
            #expect(offset == run.end)
            #expect(run.payloadSize == messages.reduce(0) { $0 + $1.bytes.count })
            return messages
        }
    }

    /// Every message once and in order, and what several topics share is small.
    @Test(arguments: 0..<20) func messagesComeOutAsTheyWentIn(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let topics = Int.random(in: 1...4, using: &random)
        let sent = (0..<300).map { _ -> Message in
            let limit = [0, 4, 100, 5000].randomElement(using: &random) ?? 0
            let count = Int.random(in: 0...limit, using: &random)
            return (
                Int.random(in: 0..<topics, using: &random),
                Array(repeating: UInt8(limit & 255), count: count)
            )
        }
        let blocks = blocks(of: sent)
        let received = blocks.flatMap { messages(in: $0) }
        #expect(received.map(\.topic) == sent.map(\.topic))
        #expect(received.map(\.bytes) == sent.map(\.bytes))
        for block in blocks where block.runCount > 1 {
            #expect(block.storage.count <= MessageCollector.sharedLimit)
            #expect(
                (1..<block.runCount).allSatisfy {
                    block.topic(ofRun: $0) != block.topic(ofRun: $0 - 1)
                })
        }
        if topics == 1 { #expect(blocks.count == 1) }
    }

    @Test func aPartIsCopied() {
        let block = blocks(of: [(0, [1]), (1, [2]), (1, [3, 4]), (1, [5])])[0]
        let start = block.extent(ofRun: 1).start
        let second = block.message(at: block.message(at: start).upperBound)
        let copy = block.copy(ofRun: 1, first: 2, endingAt: second.upperBound)
        #expect(messages(in: copy).map(\.bytes) == [[2], [3, 4]])
        #expect(copy.storage.count == 2 * MessageBlock.headerSize + 3)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct HeartbeatTests {
    private let start = Instant.now

    @Test func asksAfterThreeQuartersToAWholeIntervalOfSilence() {
        var heartbeat = Heartbeat(interval: .seconds(8))
        heartbeat.start(at: start)
        #expect(heartbeat.timeReached(start + .seconds(2)) == .wait)
        #expect(heartbeat.timeReached(start + .seconds(4)) == .wait)
        #expect(heartbeat.timeReached(start + .seconds(6)) == .ask)
    }

    @Test func noAnswerWithinFiveSecondsIsDeath() {
        var heartbeat = Heartbeat(interval: .seconds(8))
        heartbeat.start(at: start)
        for second in [2, 4, 6] { _ = heartbeat.timeReached(start + .seconds(second)) }
        #expect(heartbeat.timeReached(start + .seconds(10)) == .wait)
        #expect(heartbeat.timeReached(start + .seconds(11)) == .dead)
    }

    @Test func anyByteIsASignOfLife() {
        var heartbeat = Heartbeat(interval: .seconds(8))
        heartbeat.start(at: start)
        for second in [2, 4, 6] { _ = heartbeat.timeReached(start + .seconds(second)) }
        heartbeat.heard()
        #expect(heartbeat.timeReached(start + .seconds(11)) == .wait)
        #expect(heartbeat.deadline == start + .seconds(13))
    }

    @Test func aCutIsFoundWithinIntervalAndFiveSecondsWheneverItComes() {
        for cut in stride(from: 0.0, to: 3.0, by: 0.1) {
            var heartbeat = Heartbeat(interval: .seconds(10))
            heartbeat.start(at: start)
            var isHeard = false
            while let due = heartbeat.deadline {
                if !isHeard, due > start + .seconds(cut) {
                    heartbeat.heard()
                    isHeard = true
                }
                guard heartbeat.timeReached(due) == .dead else { continue }
                #expect(due - start - .seconds(cut) <= .seconds(15))
                break
            }
        }
    }

    /// The worst moment for a cut is right after an answer.
    @Test(arguments: [(10.0, 15.0), (4, 8), (1, 2)])
    func aCutRightAfterAnAnswerIsFoundAsSoon(interval: Double, limit: Double) {
        for answers in 0..<5 {
            var heartbeat = Heartbeat(interval: .seconds(interval))
            heartbeat.start(at: start)
            var lastHeard = start
            var left = answers
            while let due = heartbeat.deadline {
                let verdict = heartbeat.timeReached(due)
                if verdict == .ask, left > 0 {
                    left -= 1
                    heartbeat.heard()
                    lastHeard = due
                }
                guard verdict == .dead else { continue }
                #expect(due - lastHeard <= .seconds(limit), "after \(answers) answers")
                break
            }
        }
    }
}

struct TranscriptLineTests {
    @Test func escapedBytesComeBack() {
        let bytes: [UInt8] = [0, 13, 10, 92, 0x20, 0x7e, 0x7f, 0xff, 65]
        let text = TranscriptLine.escape(bytes)
        #expect(text == #"\x00\r\n\\ ~\x7f\xffA"#)
        #expect(Transcript.unescape(text) == bytes)
    }

    @Test func secretsAreMasked() {
        let line = TranscriptLine.sent(Array("AUTH pass\r\n".utf8), on: .main, secret: "pass")
        #expect(line == #"C: AUTH ****\r\n"#)
    }

    /// Redis repeats 128 bytes of what it does not know, and no more.
    @Test func theBeginningOfALongSecretIsMasked() {
        let secret = String(repeating: "s3cret", count: 30)
        let text = "unknown command 'AUTH', with args beginning with: '\(secret.prefix(128))'"
        let masked = TranscriptLine.mask(Array(text.utf8), secret)
        let stars = String(repeating: "*", count: 128)
        #expect(
            String(decoding: masked, as: UTF8.self)
                == "unknown command 'AUTH', with args beginning with: '\(stars)'")
    }
}
