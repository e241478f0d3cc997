import BroadcasterTestSupport
import BroadcasterWire
import Testing

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
