import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct PositionTests {
    @Test func fourThousandBytesAreThere() throws {
        for count in [Int](0...60) + [4096] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 9 + 1) }
            let position = try #require(Position(bytes))
            #expect(position.bytes == bytes && position.count == count)
        }
        #expect(Position([UInt8](repeating: 0, count: 4097)) == nil)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func theOrderIsThatOfTheBytes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let pair = (0..<2).map { _ in
                (0..<Int.random(in: 0...40, using: &random)).map { _ in
                    UInt8.random(in: 0...1, using: &random)
                }
            }
            let (one, other) = (try #require(Position(pair[0])), try #require(Position(pair[1])))
            #expect((one < other) == pair[0].lexicographicallyPrecedes(pair[1]), "\(pair)")
            #expect((one == other) == (pair[0] == pair[1]))
        }
    }

    /// Messages with positions, without, and with longer ones: each keeps its own, in one block.
    @Test func aBlockKeepsThePositionsOfItsMessages() throws {
        var collector = MessageCollector()
        let origin = Origin(channel: "c")
        let messages: [(text: String, position: [UInt8])] = [
            ("a", [0, 1]), ("bb", [0, 2]), ("ccc", []), ("dddd", [1, 2, 3]), ("", [1, 2, 4]),
        ]
        for (text, place) in messages {
            let bytes = Array(text.utf8)
            let block =
                if let position = Position(place), !place.isEmpty {
                    collector.add(
                        bytes.span, bytes.indices, position: position, topic: 1, origin: origin)
                } else {
                    collector.add(bytes.span, bytes.indices, topic: 1, origin: origin)
                }
            #expect(block == nil)
        }
        let finished = collector.finish()
        let block = try #require(finished)
        #expect(block.runCount == 3)
        var found: [(text: String, position: [UInt8])] = []
        for run in 0..<block.runCount {
            let extent = block.extent(ofRun: run)
            var offset = extent.start
            var size = 0
            for _ in 0..<extent.count {
                let range = block.message(at: offset, positionSize: extent.positionSize)
                let position = block.position(ofRun: run, messageAt: range.lowerBound)
                found.append(
                    (String(decoding: block.storage[range], as: UTF8.self), position?.bytes ?? []))
                offset = range.upperBound
                size += range.count
            }
            #expect(offset == extent.end && size == extent.payloadSize)
        }
        #expect(found.map(\.text) == messages.map(\.text))
        #expect(found.map(\.position) == messages.map(\.position))
    }

    @Test func aCopyOfARunKeepsThem() throws {
        var collector = MessageCollector()
        let origin = Origin(channel: "c")
        for number in 0..<3 as Range<UInt8> {
            let place = Position([9, number])
            let position = try #require(place)
            let bytes = [number]
            _ = collector.add(
                bytes.span, bytes.indices, position: position, topic: 1, origin: origin)
        }
        let finished = collector.finish()
        let block = try #require(finished)
        let first = block.message(at: 0, positionSize: 2)
        let second = block.message(at: first.upperBound, positionSize: 2)
        let copy = block.copy(ofRun: 0, first: 2, endingAt: second.upperBound)
        let place = copy.message(at: second.lowerBound - 6, positionSize: 2)
        #expect(place == second)
        #expect(copy.position(ofRun: 0, messageAt: place.lowerBound)?.bytes == [9, 1])
    }
}
