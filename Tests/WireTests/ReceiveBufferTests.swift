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
            #expect(found?.topic.id == model["channel-\(number)"])
        }
    }

    @Test func emptyAndBinaryNamesAreNamesToo() {
        var index = TopicIndex()
        for (id, name) in ["", "\0", "\r\n", "é", "e\u{301}"].enumerated() {
            index.insert(Topic(id: id, name: .channel(name)))
        }
        for (id, name) in ["", "\0", "\r\n", "é", "e\u{301}"].enumerated() {
            let bytes = Array(name.utf8)
            #expect(index.find(bytes.span, bytes.indices)?.topic.id == id)
        }
    }
}

struct MessageRunTests {
    @Test func messagesComeOutAsTheyWentIn() {
        let messages: [[UInt8]] = [[], [1], Array(repeating: 7, count: 70_000), [0, 255]]
        var run = MessageRun(topic: 3, origin: Origin(channel: "c"))
        for message in messages { run.append(message.span, message.indices) }
        var offset = 0
        for message in messages {
            let range = run.message(at: offset)
            #expect(Array(run.storage[range]) == message)
            offset = range.upperBound
        }
        #expect(run.count == 4)
        #expect(MessageBlock(run).payloadSize == messages.reduce(0) { $0 + $1.count })
    }
}

@Suite(.timeLimit(.minutes(1)))
struct HeartbeatTests {
    private let start = ContinuousClock.now

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
}
