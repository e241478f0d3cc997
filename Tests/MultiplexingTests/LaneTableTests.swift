import BroadcasterWire
import Testing

@testable import BroadcasterMultiplexing

@Suite struct LaneTableTests {
    @Test func theMainLaneIsOneOfAll() {
        var table = LaneTable<Int>()
        #expect(table.isEmpty)
        for index in 0..<4 { table[Lane(index: index)] = index * 10 }
        table[Lane(index: 2)]? += 1
        #expect((0..<5).map { table[Lane(index: $0)] } == [0, 10, 21, 30, nil])
        #expect(Set(table.lanes) == Set((0..<4).map { Lane(index: $0) }))
        var seen: [Lane: Int] = [:]
        table.forEach { seen[$0] = $1 }
        #expect(seen.count == 4 && seen[.main] == 0)
        for lane in table.lanes { table[lane] = nil }
        #expect(table.isEmpty && table.lanes.isEmpty)
    }
}
