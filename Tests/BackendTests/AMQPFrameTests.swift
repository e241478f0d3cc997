import BroadcasterRabbitMQ
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// A recorded frame, and what it is.
struct RecordedFrame: Sendable, CustomTestStringConvertible {
    let label: String
    let bytes: [UInt8]
    var testDescription: String { label }

    static let all: [RecordedFrame] = Fixtures.text("rabbitmq/frames.table").split(separator: "\n")
        .filter { !$0.hasPrefix("#") }
        .map { line in
            let hex = line.split(separator: " ").last ?? ""
            let digits = Array(hex.utf8)
            let bytes = stride(from: 0, to: digits.count - 1, by: 2).map { place in
                UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16) ?? 0
            }
            return RecordedFrame(label: String(line.dropLast(hex.count + 2)), bytes: bytes)
        }
}

struct AMQPFrameTests {
    /// Methods of which this client reads more than it writes: flags and classes that it never uses.
    private static let unusual = ["C ?", "C basic.qos"]

    /// Decodes all that comes in `feed`, as a connection does.
    private func methods(_ bytes: [UInt8], _ feed: Feed) throws -> [AMQPMethod] {
        var buffer = ReceiveBuffer()
        var methods: [AMQPMethod] = []
        for piece in feed.pieces(of: bytes) {
            buffer.append(piece)
            let received = buffer.bytes
            while let frame = try AMQPFrame.next(
                in: received.span, at: buffer.start, limit: AMQPFrame.usualLimit)
            {
                buffer.consume(upTo: frame.end)
                if frame.kind == .method { methods.append(try AMQPMethod(received[frame.payload])) }
            }
        }
        return methods
    }

    /// What RabbitMQ and other clients wrote, we read, and write again byte for byte.
    @Test(arguments: RecordedFrame.all.filter { $0.bytes[0] == 1 && !unusual.contains($0.label) })
    func recordedMethodsAreReadAndWritten(frame: RecordedFrame) throws {
        for feed in Feed.allCases {
            let twice = try methods(frame.bytes + frame.bytes, feed)
            try #require(twice.count == 2)
            var written: [UInt8] = []
            twice[0].append(on: UInt16(frame.bytes[1]) << 8 | UInt16(frame.bytes[2]), to: &written)
            // This client never asks not to be answered.
            guard !isWithoutAnswer(frame) else { continue }
            #expect(written == frame.bytes)
            #expect(twice[0] == twice[1])
        }
    }

    /// queue.bind with the bit `no-wait`, which another client used once.
    private func isWithoutAnswer(_ frame: RecordedFrame) -> Bool {
        frame.label == "C queue.bind" && frame.bytes.suffix(6).first == 1
    }

    @Test func thereAreRecordedFramesOfEachKind() {
        #expect(Set(RecordedFrame.all.map { $0.bytes[0] }) == [1, 2, 3, 8])
        #expect(RecordedFrame.all.count > 150)
    }

    @Test(arguments: RecordedFrame.all.filter { $0.bytes[0] == 2 })
    func recordedHeadersAreRead(frame: RecordedFrame) throws {
        _ = try ContentHeader(frame.bytes[7..<frame.bytes.count - 1])
        for end in 7..<frame.bytes.count - 1 {
            #expect(throws: ProtocolError.self) { try ContentHeader(frame.bytes[7..<end]) }
        }
    }

    /// A method that is cut anywhere is refused, and so is one with a byte more.
    @Test(arguments: RecordedFrame.all.filter { $0.bytes[0] == 1 && !unusual.contains($0.label) })
    func damagedMethodsAreRefused(frame: RecordedFrame) {
        let payload = frame.bytes[7..<frame.bytes.count - 1]
        for end in payload.startIndex..<payload.endIndex {
            #expect(throws: ProtocolError.self) { try AMQPMethod(payload[..<end]) }
        }
        #expect(throws: ProtocolError.self) { try AMQPMethod(payload + [0]) }
    }

    @Test(
        arguments: [
            ([9, 0, 0], "a type: 1, 2, 3 or 8"), (Array("HTTP/1.1 400".utf8), "a type"),
            ([1, 0, 0, 0, 2, 0, 0], "a length up to 131064"),
            ([3, 0, 1, 255, 255, 255, 255], "found 4294967295"),
            ([8, 0, 0, 0, 0, 0, 0, 0], "0xce after 0 bytes"),
            ([1, 0, 0, 0, 0, 0, 1, 0, 0xcd], "0xce after 1 bytes"),
        ] as [([UInt8], String)])
    func brokenFramesAreRefusedAsSoonAsThatIsSeen(bytes: [UInt8], says: String) {
        let error = #expect(throws: ProtocolError.self) {
            try AMQPFrame.next(in: bytes.span, at: 0, limit: AMQPFrame.usualLimit)
        }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    // MARK: Tables

    private static let everyType = AMQPTable([
        "t": .boolean(true), "b": .int8(-1), "B": .uint8(255), "s": .int16(-300),
        "u": .uint16(65_535), "I": .int32(-70_000), "i": .uint32(4_000_000_000),
        "l": .int64(-5_000_000_000), "f": .float(0x3fc0_0000), "d": .double(1),
        "D": .decimal(scale: 2, 1234), "S": .text("text"), "x": .bytes([0, 255]),
        "A": .array([.int32(1), .text("two"), .array([])]), "T": .timestamp(1_795_587_123),
        "F": .table(AMQPTable(["inside": .void])), "V": .void,
    ])

    private func read(_ bytes: [UInt8]) throws -> AMQPTable {
        // The properties of connection.start are a table like any other.
        let frame = [0, 10, 0, 10, 0, 9] + bytes + [0, 0, 0, 0, 0, 0, 0, 0]
        guard case .connection(.start(_, _, let table, _, _)) = try AMQPMethod(frame[...]) else {
            return AMQPTable()
        }
        return table
    }

    @Test func everyTypeOfAValueIsReadAndWritten() throws {
        var bytes: [UInt8] = []
        Self.everyType.append(to: &bytes)
        let table = try read(bytes)
        #expect(table == Self.everyType)
        var again: [UInt8] = []
        table.append(to: &again)
        #expect(again == bytes)
        // The letters are RabbitMQ's: a `s` of the specification would be a text.
        #expect(table.entries.allSatisfy { bytes.contains(Array($0.name.utf8)[0]) })
    }

    @Test(arguments: [
        ("a type without a meaning", [1, 97, UInt8(ascii: "L"), 0]),
        ("a length beyond the end", [1, 97, UInt8(ascii: "S"), 255, 255, 255, 255]),
        ("a name beyond the end", [200, 97]),
        ("a number that is cut", [1, 97, UInt8(ascii: "l"), 0, 0]),
    ])
    func brokenTablesAreRefused(what: String, inside: [UInt8]) {
        let bytes = [0, 0, 0, UInt8(inside.count)] + inside
        #expect(throws: ProtocolError.self, "\(what)") { try read(bytes) }
    }

    @Test func nestingHasAnEnd() throws {
        func nested(_ depth: Int) -> [UInt8] {
            var value = AMQPValue.void
            for level in 0..<depth {
                value = level % 2 == 0 ? .array([value]) : .table(AMQPTable(["n": value]))
            }
            var bytes: [UInt8] = []
            AMQPTable(["n": value]).append(to: &bytes)
            return bytes
        }
        #expect(try read(nested(30)).entries.count == 1)
        #expect(throws: ProtocolError.self) { try read(nested(40)) }
        #expect(throws: ProtocolError.self) { try read(nested(5000)) }
    }
}
