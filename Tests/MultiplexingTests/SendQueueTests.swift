import BroadcasterMultiplexing
import BroadcasterTestSupport
import Testing

struct SendQueueTests {
    /// A stream that takes as much as it likes, from nothing to all.
    @Test(arguments: 0..<40) func bytesLeaveInTheirOrder(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = SendQueue()
        var (sent, left): ([UInt8], [UInt8]) = ([], [])
        for number in 0..<200 {
            let size = [0, 1, 100, 5000, 40_000].randomElement(using: &random) ?? 0
            var bytes = Array(repeating: UInt8(truncatingIfNeeded: number), count: size)
            sent += bytes
            queue.append(&bytes)
            #expect(bytes.isEmpty)
            #expect(queue.count == sent.count - left.count)
            var limit = Int.random(in: 0...9000, using: &random)
            while limit > 0, queue.count > 0 {
                limit -= queue.take { piece, start in
                    let part = piece[start...].prefix(limit)
                    left += part
                    return part.count
                }
            }
            #expect(queue.count == sent.count - left.count)
        }
        left += queue.removeAll()
        #expect(left == sent)
        #expect(queue.count == 0)
    }

    @Test func aLargePieceIsNotCopied() {
        var queue = SendQueue()
        var (small, large) = (
            [UInt8](repeating: 1, count: 10), [UInt8](repeating: 2, count: 1 << 20)
        )
        let address = large.withUnsafeBufferPointer { $0.baseAddress }
        queue.append(&small)
        queue.append(&large)
        _ = queue.take { piece, start in piece.count - start }
        _ = queue.take { piece, start in
            #expect(piece.withUnsafeBufferPointer { $0.baseAddress } == address)
            return piece.count - start
        }
        #expect(queue.count == 0)
    }

    /// The caller's array gets back the space of what was sent, but for that of a huge message.
    @Test(arguments: [(1000, true), (3 << 20, false)])
    func aHugeMessagesMemoryIsGivenBack(size: Int, isKept: Bool) {
        var queue = SendQueue()
        var bytes = [UInt8](repeating: 1, count: size)
        queue.append(&bytes)
        while queue.take({ piece, start in piece.count - start }) > 0 {}
        var next: [UInt8] = [1]
        queue.append(&next)
        #expect((next.capacity >= size) == isKept)
    }

    @Test func aFullStreamLeavesAllThere() {
        var queue = SendQueue()
        var bytes: [UInt8] = [1, 2, 3]
        queue.append(&bytes)
        #expect(queue.take { _, _ in 0 } == 0)
        #expect(queue.count == 3)
        #expect(queue.removeAll() == [1, 2, 3])
    }
}
