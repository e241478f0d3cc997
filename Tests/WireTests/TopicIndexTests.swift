import BroadcasterTestSupport
import BroadcasterWire
import Testing

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
