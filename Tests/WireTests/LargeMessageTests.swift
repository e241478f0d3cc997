import BroadcasterWire
import Testing

/// The receive buffer's memory while a large message comes.
struct LargeMessageTests {
    private let trusted = 1 << 16
    /// What malloc may add to what was asked for.
    private let slack = 8192

    /// Reads as a transport does, at most `piece` bytes at a time.
    private func read(_ bytes: ArraySlice<UInt8>, into buffer: inout ReceiveBuffer, piece: Int) {
        var rest = bytes
        while !rest.isEmpty {
            let next = rest.prefix(min(buffer.makeRoom(limit: 16_384), piece))
            buffer.fill { $0.append(contentsOf: next) }
            rest = rest.dropFirst(next.count)
        }
    }

    private func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    }

    @Test(arguments: [1 << 20, 1 << 30, Int(Int32.max)])
    func aDeclarationAloneGetsLittleMemory(declared: Int) {
        var buffer = ReceiveBuffer(bytes(40))
        buffer.expect(declared)
        let room = buffer.makeRoom(limit: 16_384)
        #expect((1...trusted).contains(room))
        #expect(buffer.bytes.capacity <= trusted + slack)
    }

    @Test(arguments: [1, 1000, 16_384, 1 << 20])
    func memoryGrowsWithWhatCame(piece: Int) {
        let count = piece == 1 ? 270_000 : 1 << 20
        let all = bytes(count)
        var buffer = ReceiveBuffer()
        buffer.expect(count)
        for start in stride(from: 0, to: count, by: max(piece, 9000)) {
            let end = min(start + max(piece, 9000), count)
            read(all[start..<end], into: &buffer, piece: piece)
            #expect(buffer.bytes.capacity <= max(trusted, 4 * buffer.count) + slack)
            #expect(buffer.bytes.capacity <= count + 4096 + slack)
        }
        #expect(buffer.bytes == all)
    }

    @Test(arguments: [0, 1, 300, 4096]) func theMemoryIsGivenAwayAndTheRestStays(rest: Int) throws {
        let (head, count) = (20, 300_000)
        var buffer = ReceiveBuffer(Array(repeating: 1, count: head))
        buffer.consume(upTo: head)
        let all = bytes(count + rest)
        read(all[..<50], into: &buffer, piece: 50)
        buffer.expect(count)
        read(all[50...], into: &buffer, piece: 9000)
        let address = buffer.bytes.withUnsafeBufferPointer { $0.baseAddress }
        let end = buffer.start + count
        let given = buffer.takeLarge(upTo: end)
        let taken = try #require(given)
        #expect(Array(taken.suffix(count)) == Array(all[..<count]))
        #expect(taken.withUnsafeBufferPointer { $0.baseAddress } == address)
        #expect(Array(buffer.bytes[buffer.start...]) == Array(all[count...]))
        #expect(buffer.streamOffset(of: buffer.start) == head + count)
        #expect(buffer.expected == 0)
        // The next one of this length gets its memory at once.
        buffer.expect(count)
        _ = buffer.makeRoom(limit: 16_384)
        #expect(buffer.bytes.capacity >= count)
    }

    @Test func muchMemoryIsNotGivenAwayForALittleMessage() {
        var buffer = ReceiveBuffer(bytes(300_000))
        #expect(buffer.takeLarge(upTo: 40_000) == nil)
        #expect(buffer.count == 300_000)
    }

    /// Bytes of records that are decrypted may be a record more than was read.
    @Test func aReadLeavesRoomForASurplus() {
        var buffer = ReceiveBuffer()
        buffer.expect(1 << 20)
        while buffer.count < 1 << 20 {
            let limit = buffer.makeRoom(limit: 16_384, surplus: 16_384)
            let capacity = buffer.bytes.capacity
            let brought = min(limit + 16_384, (1 << 20) + 20_000 - buffer.count)
            buffer.fill { $0.append(contentsOf: repeatElement(1, count: brought)) }
            #expect(buffer.bytes.capacity == capacity)
        }
    }

    @Test func anExpectationEndsWithTheMessage() {
        var buffer = ReceiveBuffer(bytes(10))
        buffer.expect(1 << 20)
        buffer.consume(upTo: 10)
        #expect(buffer.makeRoom(limit: 777) == 777)
    }
}
