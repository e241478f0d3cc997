package import BroadcasterWire

/// ListOffsets, versions 2 and 4: the offset of a partition's end, of its beginning, or of a time.
///
/// Always asked as one who hears all: Tansu answers 0 to the others where a transaction is open.
package struct ListOffsetsMessage: Sendable {
    /// The question about a partition; never an offset, so that none can be taken for one.
    package enum Question: Hashable, Sendable {
        case latest
        case earliest
        /// The first offset at or after this time, in milliseconds.
        case time(Int64)

        var timestamp: Int64 {
            switch self {
            case .latest: -1
            case .earliest: -2
            case .time(let time): max(time, 0)
            }
        }
    }

    /// A question about one partition.
    package struct Wish: Hashable, Sendable {
        package let topic: String
        package let index: Int32
        package let leaderEpoch: Int32
        package let question: Question
    }

    package struct Partition: Hashable, Sendable {
        package let topic: String
        package let index: Int32
        package let error: KafkaError
        /// Below zero: none.
        package let timestamp: Int64
        package let offset: Int64
        /// The epoch of the leader that the offset is of; −1: not told.
        package let epoch: Int32
    }

    package let throttle: Int32
    package let partitions: [Partition]

    /// - Parameter wishes: one for a partition at most: Kafka refuses two.
    static func append(_ wishes: [Wish], version: Int16, to bytes: inout [UInt8]) {
        bytes.appendInt32(-1)
        bytes.appendInt8(FetchMessage.Isolation.readUncommitted.rawValue)
        bytes.appendCount(wishes.count)
        for wish in wishes {
            bytes.appendString(wish.topic)
            bytes.appendCount(1)
            bytes.appendInt32(wish.index)
            if version >= 4 { bytes.appendInt32(wish.leaderEpoch) }
            bytes.appendInt64(wish.question.timestamp)
        }
    }

    package init(_ reader: inout FrameReader, version: Int16) throws(ProtocolError) {
        throttle = try reader.int32()
        partitions = try reader.array(ofAtLeast: 6) { (reader) throws(ProtocolError) in
            let topic = try reader.string()
            return try reader.array(ofAtLeast: 22) { (reader) throws(ProtocolError) in
                Partition(
                    topic: topic, index: try reader.int32(),
                    error: KafkaError(code: try reader.int16()), timestamp: try reader.int64(),
                    offset: try reader.int64(), epoch: version >= 4 ? try reader.int32() : -1)
            }
        }.flatMap { $0 }
    }
}
