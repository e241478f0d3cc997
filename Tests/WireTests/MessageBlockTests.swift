import BroadcasterTestSupport
import BroadcasterWire
import Testing

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

    /// Every message once and in order, and blocks of several topics are small.
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
