import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterKafka

/// Bytes of a text of hexadecimal digits.
func bytes(hex: String) -> [UInt8] {
    let digits = Array(hex.utf8).filter { $0 != 0x20 }
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
        UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
    }
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// Numbers, checksums and record batches, as other programs write them.
struct KafkaCodecTests {
    @Test(arguments: [
        (0, "00"), (-1, "01"), (1, "02"), (63, "7e"), (-64, "7f"), (64, "8001"), (-65, "8101"),
        (8191, "fe7f"), (8192, "808001"), (2_147_483_647, "feffffff0f"),
        (-2_147_483_648, "ffffffff0f"),
    ])
    func varintsAreThoseOfKafka(number: Int, text: String) {
        var written: [UInt8] = []
        Varint.append(Int64(number), to: &written)
        #expect(hex(written) == text)
        #expect(Varint.size(Int64(number)) == written.count)
        #expect(Varint.int32(written) == number)
        #expect(Varint.int64(written) == Int64(number))
        for end in 0..<written.count { #expect(Varint.int32(Array(written[..<end])) == nil) }
    }

    @Test(arguments: [Int64.max, .min, 1 << 40, -(1 << 40)])
    func longVarintsComeBack(number: Int64) {
        var written: [UInt8] = []
        Varint.append(number, to: &written)
        #expect(Varint.int64(written) == number && Varint.size(number) == written.count)
        #expect(Varint.int32(written) == nil)
    }

    @Test(arguments: ["808080808001", "ffffffffff01", "8080808010"])
    func aVarintThatIsTooLongIsNone(text: String) {
        #expect(Varint.int32(bytes(hex: text)) == nil)
    }

    @Test func aVarlongOfMoreThan64BitsIsNone() {
        #expect(Varint.int64(bytes(hex: "ffffffffffffffffff02")) == nil)
        #expect(Varint.int64(bytes(hex: "ffffffffffffffffffff01")) == nil)
    }

    @Test(
        arguments: [
            ("", 0x0000_0000), ("61", 0xc1d0_4330), ("616263", 0x364b_3fb7),
            ("313233343536373839", 0xe306_9283),
            (String(repeating: "00", count: 32), 0x8a91_36aa),
            (String(repeating: "ff", count: 32), 0x62a8_ab43),
            ("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd_794e),
            ("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113f_db5c),
        ] as [(String, UInt32)])
    func checksumsAreThoseOfRFC3720(text: String, expected: UInt32) {
        #expect(CRC32C.checksum(bytes(hex: text)) == expected)
    }

    /// As Tansu and the mock cluster took it, and other clients read it back.
    @Test func oneMessageIsThisBatch() {
        let batch = RecordBatchWriter.batch(of: [.text("hello")], time: 1_700_000_000_000)
        #expect(
            hex(batch)
                == "0000000000000000" + "0000003d" + "ffffffff" + "02" + "e641a44b" + "0000"
                + "00000000" + "0000018bcfe56800" + "0000018bcfe56800" + "ffffffffffffffff"
                + "ffff" + "ffffffff" + "00000001" + "16000000010a68656c6c6f00")
    }

    @Test func aProducerStandsInTheHeader() {
        let batch = RecordBatchWriter.batch(
            of: [.text("a"), .bytes([])], time: 5, producer: ProducerIdentity(id: 7, epoch: 2),
            sequence: 9)
        #expect(hex(Array(batch[43..<61])) == "0000000000000007" + "0002" + "00000009" + "00000002")
        #expect(
            batch.count <= 61 + RecordBatchWriter.recordSize(1) + RecordBatchWriter.recordSize(0))
    }

    /// librdkafka 2.16.0: three records, the values `hello hello hello hello 0` to 2.
    static let batches = [
        (
            "none",
            "00000000000000000000009100000000024a1150f4000000000002000001a211593f6d000001a211593f6dffffffffffffffffffffffffffff000000033e000000013268656c6c6f2068656c6c6f2068656c6c6f2068656c6c6f2030003e000002013268656c6c6f2068656c6c6f2068656c6c6f2068656c6c6f2031003e000004013268656c6c6f2068656c6c6f2068656c6c6f2068656c6c6f203200"
        ),
        (
            "gzip",
            "00000000000000000000006300000000028e3bfdb5000100000002000001a211593f71000001a211593f71ffffffffffffffffffffffffffff000000031f8b0800000000000003b36360606034ca48cdc9c957c0240d18ec18189870cb1b82e45970cb1b31000002008aec60000000"
        ),
        (
            "snappy",
            "000000000000000000000058000000000225be7397000200000002000001a211593fa6000001a211593fa6ffffffffffffffffffffffffffff00000003602c3e000000013268656c6c6f204606001430003e000002662000003101200004662000043200"
        ),
        (
            "lz4",
            "000000000000000000000068000000000241c58ab3000300000002000001a21159400e000001a21159400effffffffffffffffffffffffffff0000000304224d1860408228000000ce3e000000013268656c6c6f2006006f30003e000002200007103120001f04200004506c6f20320000000000"
        ),
    ]

    private static let options = ReadOptions(
        isolation: .readUncommitted, messageLimit: 1 << 20, longestWait: .milliseconds(100))

    private func fetched(
        _ records: [UInt8], from start: Int64 = 0, aborted: [FetchMessage.Aborted] = []
    ) throws -> FetchedRecords {
        try FetchedRecords(
            records,
            FetchMessage.Partition(
                topic: "t", index: 0, error: .none, highWatermark: 9, aborted: aborted,
                records: records.indices), from: start)
    }

    private func texts(_ contents: FetchedRecords.Contents) -> [String] {
        contents.entries.map {
            String(decoding: contents.buffers[Int($0.buffer)][$0.value], as: UTF8.self)
        }
    }

    @Test(arguments: batches)
    func batchesOfEachCodecAreRead(codec: String, text: String) throws {
        var records = try fetched(bytes(hex: text))
        let contents = records.read(
            from: 0, before: nil, count: 100, passesCorrupt: false, Self.options)
        #expect(texts(contents) == (0...2).map { "hello hello hello hello \($0)" })
        #expect(contents.next == 3 && contents.isWhole && contents.losses.isEmpty)
        let rest = records.read(from: 1, before: 2, count: 100, passesCorrupt: false, Self.options)
        #expect(texts(rest) == ["hello hello hello hello 1"])
        let first = records.read(
            from: 0, before: nil, count: 1, passesCorrupt: false, Self.options)
        #expect(texts(first).count == 1 && first.next == 1 && !first.isWhole)
    }

    /// Every codec without a decoder is a gap with its exact number, and the reader goes on.
    @Test(arguments: [(4, "zstd"), (5, "codec 5")])
    func aCodecThatIsNotKnownIsALossWithItsNumber(codec: UInt8, name: String) throws {
        var batch = bytes(hex: Self.batches[0].1)
        batch[22] = codec
        seal(&batch)
        var records = try fetched(batch)
        let contents = records.read(
            from: 0, before: nil, count: 100, passesCorrupt: false, Self.options)
        #expect(contents.entries.isEmpty && contents.next == 3)
        #expect(contents.losses.count == 1 && contents.losses[0].hasPrefix("3 messages"))
        #expect(contents.losses[0].contains(name))
    }

    private func seal(_ batch: inout [UInt8]) {
        batch.overwriteInt32(
            Int32(bitPattern: CRC32C.checksum(batch[21...])), at: 17)
    }

    /// Once it is fetched again; then passed over, with its number.
    @Test func aWrongChecksumIsFetchedOnceMore() throws {
        var batch = bytes(hex: Self.batches[0].1)
        batch[70] ^= 1
        var records = try fetched(batch)
        let first = records.read(
            from: 0, before: nil, count: 9, passesCorrupt: false, Self.options)
        #expect(first.isCorrupt && first.next == 0)
        let second = records.read(
            from: 0, before: nil, count: 9, passesCorrupt: true, Self.options)
        #expect(second.next == 3 && second.losses[0].hasPrefix("3 messages"))
    }

    /// A right batch behind it proves nothing of one that is wrong (found by the fuzzer).
    @Test func aWrongChecksumStaysWrong() throws {
        var wrong = bytes(hex: Self.batches[0].1)
        wrong[70] ^= 1
        var right = bytes(hex: Self.batches[0].1)
        right.overwriteInt64(3, at: 0)
        var records = try fetched(wrong + right)
        for _ in 0..<2 {
            let contents = records.read(
                from: 0, before: nil, count: 9, passesCorrupt: true, Self.options)
            #expect(contents.entries.map(\.offset) == [3, 4, 5] && contents.losses.count == 1)
        }
    }

    @Test func anOldFormatIsALoss() throws {
        let batch =
            bytes(hex: "0000000000000005" + "00000016" + "00000000" + "01" + "00")
            + [UInt8](repeating: 0, count: 16)
        var records = try fetched(batch, from: 5)
        let contents = records.read(
            from: 5, before: nil, count: 9, passesCorrupt: false, Self.options)
        #expect(contents.next == 6 && contents.losses[0].contains("format 1"))
    }

    /// The last batch of an answer may be cut: it is fetched again.
    @Test func aBatchThatIsCutIsLeft() throws {
        let whole = bytes(hex: Self.batches[0].1)
        for end in 0..<whole.count {
            var records = try fetched(whole + whole[..<end])
            let contents = records.read(
                from: 0, before: nil, count: 9, passesCorrupt: false, Self.options)
            #expect(contents.entries.count == 3 && contents.isWhole)
        }
    }

    /// Transactions of librdkafka: committed at 0, its marker at 1, aborted at 2, its marker at 3, open at 4.
    private static let transactions =
        "00000000000000000000004100000000026cefa52a001000000000000001a2115940e1000001a2115940e10000000000000001000100000000000000011e0000000112636f6d6d697474656400"
        + "000000000000000100000042ffffffff02dda1ddcb003000000000000001a2115940e3000001a2115940e300000000000000010001ffffffff000000012000000008000000010c00000000000000"
        + "00000000000000020000003f000000000284b07d14001000000000000001a2115940e3000001a2115940e30000000000000001000100000001000000011a000000010e61626f7274656400"
        + "000000000000000300000042ffffffff02c53e3c78003000000000000001a2115940e5000001a2115940e500000000000000010001ffffffff000000012000000008000000000c00000000000000"
        + "00000000000000040000003c0000000002ac64de11001000000000000001a2115940e6000001a2115940e60000000000000001000100000002000000011400000001086f70656e00"

    @Test(arguments: [
        (FetchMessage.Isolation.readUncommitted, ["committed", "aborted", "open"]),
        (.readCommitted, ["committed", "open"]),
    ])
    func abortedTransactionsAreHeardAsAsked(
        isolation: FetchMessage.Isolation, expected: [String]
    ) throws {
        let options = ReadOptions(
            isolation: isolation, messageLimit: 1 << 20, longestWait: .seconds(1))
        var records = try fetched(
            bytes(hex: Self.transactions), aborted: [.init(producer: 1, firstOffset: 2)])
        let contents = records.read(
            from: 0, before: nil, count: 9, passesCorrupt: false, options)
        #expect(texts(contents) == expected)
        #expect(contents.next == 5)
    }

    /// A peer cannot crash us: whatever the bytes, messages come, or an error.
    @Test(arguments: batches.map(\.1) + [transactions])
    func damagedBatchesAreSurvived(text: String) throws {
        var random = SeededRandom()
        for _ in 0..<300 {
            var damaged = Mutation.apply(to: bytes(hex: text), using: &random)
            if damaged.count > 61, Bool.random(using: &random) { seal(&damaged) }
            guard var records = try? fetched(damaged) else { continue }
            let contents = records.read(
                from: 0, before: nil, count: 1000, passesCorrupt: true, Self.options)
            #expect(contents.entries.count <= 1000, "seed \(random.seed)")
            _ = texts(contents)
        }
    }

    @Test func aBombIsBounded() throws {
        // A copy of 64 bytes for every 3.
        var block: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x02, 0x00, 0x61]
        for _ in 0..<1000 { block += [0xfe, 0x01, 0x00] }
        #expect(throws: RecordFault.self) {
            try SnappyDecoder.decode(block.span, 0..<block.count, limit: 1 << 20)
        }
    }

    /// As kafka-python and snappy-java write it: blocks in a frame.
    @Test func snappyInJavasFrameIsRead() throws {
        let frame = bytes(hex: "82534e415050590000000001000000010000000703086869210b00")
        #expect(throws: RecordFault.self) {
            try SnappyDecoder.decode(frame.span, 0..<frame.count, limit: 100)
        }
        let good = bytes(hex: "82534e41505059000000000100000001" + "00000005" + "0308686921")
        #expect(
            try SnappyDecoder.decode(good.span, 0..<good.count, limit: 100) == Array("hi!".utf8))
    }

    @Test func positionsAreVectors() throws {
        let place = PlaceVector([3, 0, 9], last: 2)
        let position = place.position
        #expect(PlaceVector(position) == place)
        #expect(Position(text: position.description) == position)
        #expect(PlaceVector(Position(text: "0") ?? .origin) == PlaceVector([]))
        #expect(place.before == PlaceVector([3, 0, 8]))
        #expect(PlaceVector([3, 1, 9]).position > position)
        var bytes = PlaceVector([3, 0, 9]).bytes
        var moved = PlaceVector([3, 0, 9])
        moved.pass(4, -1, of: 1, in: &bytes)
        #expect(bytes == moved.bytes && moved == PlaceVector([3, 5, 9], last: 1))
        for text in ["x00", "1-2", "x000000000000000400010000000000000005"] {
            #expect(Position(text: text).flatMap { PlaceVector($0) } == nil)
        }
    }

    /// Epochs stand behind the offsets, and change neither the place nor its order.
    @Test func positionsHaveTheEpochsThatAreKnown() throws {
        var place = PlaceVector([3, 0, 9])
        var bytes = place.bytes
        place.pass(9, 7, of: 2, in: &bytes)
        #expect(bytes == place.bytes && bytes.count == 10 + 3 * 12)
        #expect((0..<4).map { place.epoch(of: $0) } == [-1, -1, 7, -1])
        let again = try #require(PlaceVector(place.position))
        #expect(again == place && again.last == 2 && again.isPlace(of: PlaceVector([3, 0, 10])))
        #expect(again.position > PlaceVector([3, 0, 9]).position)
        #expect(again.position < PlaceVector([3, 0, 11]).position)
        place.pass(10, 7, of: 2, in: &bytes)
        #expect(bytes == place.bytes && place.before[2] == 10)
        place.setEpoch(-1, of: 2)
        #expect(place == PlaceVector([3, 0, 11], last: 2), "without any, as if there were none")
        // As long as three offsets, and two offsets with their epochs.
        for count in [2, 3] {
            var other = PlaceVector((0..<count).map { Int64($0) })
            if count == 2 { other.setEpoch(1, of: 0) }
            #expect(other.bytes.count == 34 && PlaceVector(other.position) == other)
        }
    }
}
