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
