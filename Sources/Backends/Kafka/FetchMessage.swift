package import BroadcasterWire

/// Fetch, versions 6 and 10, without a fetch session.
package struct FetchMessage: Sendable {
    /// A partition to read, in a request.
    package struct Wish: Hashable, Sendable {
        package let topic: String
        package let index: Int32
        /// The epoch of the leader that the client knows; −1: none.
        package let leaderEpoch: Int32
        package let offset: Int64
    }

    /// The limits of a request.
    package struct Limits: Hashable, Sendable {
        /// Milliseconds that the broker waits for something to come.
        package var wait: Int32
        package var bytes: Int32
        package var partitionBytes: Int32
        package var isolation: Isolation
    }

    /// Whether messages of transactions that were not committed are heard.
    package enum Isolation: Int8, Sendable {
        case readUncommitted = 0
        case readCommitted = 1
    }

    /// A transaction that was aborted: its producer's records from this offset on are none.
    package struct Aborted: Hashable, Sendable {
        package let producer: Int64
        package let firstOffset: Int64

        package init(producer: Int64, firstOffset: Int64) {
            self.producer = producer
            self.firstOffset = firstOffset
        }
    }

    package struct Partition: Sendable {
        package let topic: String
        package let index: Int32
        package let error: KafkaError
        package let highWatermark: Int64
        package let aborted: [Aborted]
        /// The place of the record batches among the frame's bytes.
        package let records: Range<Int>
    }

    package let throttle: Int32
    package let error: KafkaError
    package let partitions: [Partition]

    static func append(
        _ wishes: [Wish], _ limits: Limits, version: Int16, to bytes: inout [UInt8]
    ) {
        bytes.appendInt32(-1)
        bytes.appendInt32(limits.wait)
        bytes.appendInt32(1)
        bytes.appendInt32(limits.bytes)
        bytes.appendInt8(limits.isolation.rawValue)
        if version >= 7 {
            // No session: each request names all its partitions.
            bytes.appendInt32(0)
            bytes.appendInt32(-1)
        }
        bytes.appendCount(wishes.count)
        for wish in wishes {
            bytes.appendString(wish.topic)
            bytes.appendCount(1)
            bytes.appendInt32(wish.index)
            if version >= 9 { bytes.appendInt32(wish.leaderEpoch) }
            bytes.appendInt64(wish.offset)
            bytes.appendInt64(-1)
            bytes.appendInt32(limits.partitionBytes)
        }
        if version >= 7 { bytes.appendCount(0) }
    }

    package init(_ reader: inout FrameReader, version: Int16) throws(ProtocolError) {
        throttle = try reader.int32()
        if version >= 7 {
            error = KafkaError(code: try reader.int16())
            _ = try reader.int32()
        } else {
            error = .none
        }
        partitions = try reader.array(ofAtLeast: 6) { (reader) throws(ProtocolError) in
            let topic = try reader.string()
            return try reader.array(ofAtLeast: 38) { (reader) throws(ProtocolError) in
                try FetchMessage.partition(of: topic, &reader)
            }
        }.flatMap { $0 }
    }

    private static func partition(
        of topic: String, _ reader: inout FrameReader
    ) throws(ProtocolError) -> Partition {
        let index = try reader.int32()
        let error = KafkaError(code: try reader.int16())
        let highWatermark = try reader.int64()
        // The last stable offset and the first offset that is kept.
        _ = (try reader.int64(), try reader.int64())
        let aborted = try reader.array(ofAtLeast: 16) { (reader) throws(ProtocolError) in
            Aborted(producer: try reader.int64(), firstOffset: try reader.int64())
        }
        let records = try reader.nullableRange() ?? reader.position..<reader.position
        return Partition(
            topic: topic, index: index, error: error, highWatermark: highWatermark,
            aborted: aborted, records: records)
    }
}
