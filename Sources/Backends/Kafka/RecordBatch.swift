/// The header of a record batch of format 2, never compressed: it holds the count of the records, so that one that
/// cannot be decoded is a gap with its exact number.
package struct RecordBatch: Hashable, Sendable {
    package enum Codec: Hashable, Sendable {
        case none, gzip, snappy, lz4, zstd
        case unknown(Int16)

        package var name: String {
            switch self {
            case .none: "none"
            case .gzip: "gzip"
            case .snappy: "snappy"
            case .lz4: "lz4"
            case .zstd: "zstd"
            case .unknown(let number): "codec \(number)"
            }
        }
    }

    /// The bytes of a header.
    static let headerSize = 61
    /// The bytes before those that `batch_length` counts.
    static let overhead = 12

    let baseOffset: Int64
    /// The bytes of the whole batch.
    let size: Int
    let leaderEpoch: Int32
    let magic: Int8
    let checksum: UInt32
    let attributes: Int16
    let lastOffsetDelta: Int32
    let baseTimestamp: Int64
    let maxTimestamp: Int64
    let producer: Int64
    /// The number of records.
    let count: Int32

    var codec: Codec {
        switch attributes & 7 {
        case 0: .none
        case 1: .gzip
        case 2: .snappy
        case 3: .lz4
        case 4: .zstd
        case let number: .unknown(number)
        }
    }
    var isTransactional: Bool { attributes & 0x10 != 0 }
    var isControl: Bool { attributes & 0x20 != 0 }
    var lastOffset: Int64 { baseOffset &+ Int64(lastOffsetDelta) }

    /// The beginning of the batch at `place`; nil where it is cut, as the last one of an answer may be.
    ///
    /// An older format has no more than its first offset, size and magic; see `isOldFormat`.
    init?(_ bytes: Span<UInt8>, at place: Int, before end: Int) throws(RecordFault) {
        guard end - place >= RecordBatch.overhead else { return nil }
        baseOffset = Int64(bitPattern: RecordBatch.number(bytes, place, 8))
        let length = Int(
            Int32(truncatingIfNeeded: RecordBatch.number(bytes, place + 8, 4)))
        // 14 is the smallest record of the old formats.
        guard length >= 14 else {
            throw RecordFault("a record batch has a length of \(length), expected at least 14")
        }
        guard baseOffset >= 0 else {
            throw RecordFault("a record batch has the offset \(baseOffset)")
        }
        guard length <= end - place - RecordBatch.overhead else { return nil }
        size = length + RecordBatch.overhead
        magic = Int8(truncatingIfNeeded: RecordBatch.number(bytes, place + 16, 1))
        guard magic >= 2 else {
            (leaderEpoch, checksum, attributes, lastOffsetDelta) = (-1, 0, 0, 0)
            (baseTimestamp, maxTimestamp, producer, count) = (-1, -1, -1, 1)
            return
        }
        guard magic == 2, size >= RecordBatch.headerSize else {
            throw RecordFault("a record batch of format \(magic) has \(size) bytes")
        }
        func int32(_ offset: Int) -> Int32 {
            Int32(truncatingIfNeeded: RecordBatch.number(bytes, place + offset, 4))
        }
        func int64(_ offset: Int) -> Int64 {
            Int64(bitPattern: RecordBatch.number(bytes, place + offset, 8))
        }
        leaderEpoch = int32(12)
        checksum = UInt32(bitPattern: int32(17))
        attributes = Int16(truncatingIfNeeded: RecordBatch.number(bytes, place + 21, 2))
        lastOffsetDelta = int32(23)
        baseTimestamp = int64(27)
        maxTimestamp = int64(35)
        producer = int64(43)
        count = int32(57)
        guard lastOffsetDelta >= 0, count >= 0, !lastOffset.addingReportingOverflow(1).overflow,
            lastOffset >= baseOffset
        else {
            throw RecordFault(
                "a record batch has \(count) records up to \(lastOffsetDelta) after its first")
        }
    }

    /// Formats 0 and 1, of before Kafka 0.11.
    var isOldFormat: Bool { magic < 2 }

    private static func number(_ bytes: Span<UInt8>, _ place: Int, _ count: Int) -> UInt64 {
        var number: UInt64 = 0
        for index in place..<place + count { number = number << 8 | UInt64(bytes[index]) }
        return number
    }
}

/// The reason, in words, for which records cannot be read.
struct RecordFault: Error, Hashable, Sendable {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
