import BroadcasterTestSupport
import BroadcasterWire

@testable import BroadcasterKafka

/// Kafka's answers, its record batches, and what these are compressed with.
enum KafkaFuzz {
    // MARK: Answers

    /// The first byte names the answer, and the second its version; the others are its body.
    static func answer(_ bytes: [UInt8]) {
        guard bytes.count >= 2 else { return }
        var reader = FrameReader(bytes.dropFirst(2), reading: "answer")
        let isNew = bytes[1] & 1 == 1
        do throws(ProtocolError) {
            switch bytes[0] % 9 {
            case 0: _ = try ApiVersions(&reader).refusal
            case 1: try metadata(MetadataMessage(&reader, version: isNew ? 7 : 5))
            case 2: _ = try ListOffsetsMessage(&reader, version: isNew ? 4 : 2)
            case 3:
                let fetch = try FetchMessage(&reader, version: isNew ? 10 : 6)
                for partition in fetch.partitions {
                    _ = try FetchedRecords(bytes, partition, from: 0)
                }
            case 4: _ = try ProduceMessage(&reader)
            case 5: _ = try ProducerIdMessage(&reader)
            case 6: _ = try SASLHandshakeMessage(&reader)
            case 7: _ = try SASLAuthenticateMessage(&reader, version: isNew ? 1 : 0)
            default: _ = try EpochMessage(&reader)
            }
        } catch {
            require(!error.description.isEmpty, "an error without words")
        }
        if let position = Position(bytes.dropFirst()), let place = PlaceVector(position) {
            require(place.position == position, "a place that has another position")
        }
    }

    private static func metadata(_ answer: MetadataMessage) {
        var cluster = ClusterMap()
        cluster.merge(answer)
        cluster.merge(answer)
        for topic in answer.topics {
            for index in cluster.partitions(of: topic.name) {
                _ = cluster.leader(of: topic.name, index)
            }
        }
    }

    static var answerSeeds: [[UInt8]] {
        let names: [UInt8] = Array(0..<9)
        let bodies = SessionFuzz.kafka.recordings.flatMap { $0 }.map {
            Array($0.bytes.dropFirst(8))
        }
        return bodies.flatMap { body in names.map { [$0, 1] + body } }.filter { $0.count < 4096 }
    }

    // MARK: Records

    /// Bits of the first byte: 1 makes the checksums right, 2 hears only what was committed, 4 names a transaction that
    /// was aborted.
    static func records(_ bytes: [UInt8]) {
        guard let bits = bytes.first else { return }
        var batches = Array(bytes.dropFirst())
        if bits & 1 == 1 { seal(&batches) }
        let options = ReadOptions(
            isolation: bits & 2 == 2 ? .readCommitted : .readUncommitted, messageLimit: 1 << 16,
            longestWait: .zero, tellsEpochs: true)
        let partition = FetchMessage.Partition(
            topic: "t", index: 0, error: .none, highWatermark: 9,
            aborted: bits & 4 == 4 ? [.init(producer: 1, firstOffset: 2)] : [],
            records: batches.indices)
        guard var whole = try? FetchedRecords(batches, partition, from: 0) else { return }
        let all = whole.read(
            from: 0, before: nil, count: .max, passesCorrupt: true, options)
        var paged = whole
        var next: Int64 = 0
        var found: [String] = []
        while true {
            let page = paged.read(
                from: next, before: nil, count: 2, passesCorrupt: true, options)
            require(page.next >= next, "a page that goes back")
            found += show(page)
            if page.isWhole { break }
            require(page.next > next, "a page that does not go on")
            next = page.next
        }
        require(found == show(all), "pages have other messages than the whole")
    }

    private static func show(_ contents: FetchedRecords.Contents) -> [String] {
        contents.entries.map {
            "\($0.offset) \($0.epoch) \(contents.buffers[Int($0.buffer)][$0.value])"
        }
    }

    private static func seal(_ bytes: inout [UInt8]) {
        var start = 0
        while let batch = try? RecordBatch(bytes.span, at: start, before: bytes.count) {
            if !batch.isOldFormat {
                let sum = CRC32C.checksum(bytes.span, start + 21..<start + batch.size)
                bytes.overwriteInt32(Int32(bitPattern: sum), at: start + 17)
            }
            start += batch.size
        }
    }

    static var recordSeeds: [[UInt8]] {
        let plain = RecordBatchWriter.batch(of: [.text("a"), .text("")], time: 1)
        var second = plain
        second.overwriteInt64(2, at: 0)
        let packed = codecSeeds.map { seed in
            var batch = Array(plain[..<RecordBatch.headerSize]) + seed.dropFirst()
            batch[22] = seed[0]
            batch.overwriteInt32(Int32(batch.count - 12), at: 8)
            batch.overwriteInt32(3, at: 57)
            return batch
        }
        return ([plain, plain + second] + packed).map { [1] + $0 } + [[7] + plain + second]
    }

    // MARK: Compression

    /// The first byte names the codec.
    static func compressed(_ bytes: [UInt8]) {
        guard let name = bytes.first else { return }
        let codecs: [RecordBatch.Codec] = [.gzip, .snappy, .lz4, .zstd]
        let limit = 1 << 16
        do throws(RecordFault) {
            let whole = try Compression.unpack(
                bytes.span, 1..<bytes.count, codecs[Int(name &- 1) % 4], limit: limit)
            require(whole.count <= limit, "\(whole.count) bytes came out")
        } catch {
            require(!error.description.isEmpty, "an error without words")
        }
    }

    /// Three records each, as librdkafka 2.16.0 has written them; snappy also in Java's frame; the smallest zstd frame.
    static let codecSeeds: [[UInt8]] = [
        "011f8b0800000000000003b36360606034ca48cdc9c957c0240d18ec18189870cb1b82e45970cb1b31000002008aec60000000",
        "02602c3e000000013268656c6c6f204606001430003e000002662000003101200004662000043200",
        "0282534e41505059000000000100000001000000050308686921",
        "0304224d1860408228000000ce3e000000013268656c6c6f2006006f30003e000002200007103120001f04200004506c6f20320000000000",
        "0428b52ffd2000010000",
    ].map { text in
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
    }
}
