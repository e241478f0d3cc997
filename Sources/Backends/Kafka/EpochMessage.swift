package import BroadcasterWire

/// OffsetForLeaderEpoch, versions 2 and 3: where the messages of a former leader end in the log of the present one.
package struct EpochMessage: Sendable {
    /// A question about one partition.
    package struct Wish: Hashable, Sendable {
        package let topic: String
        package let index: Int32
        /// The epoch of the leader that is asked.
        package let leaderEpoch: Int32
        /// The epoch whose end is looked for.
        package let epoch: Int32
    }

    package struct Partition: Hashable, Sendable {
        package let topic: String
        package let index: Int32
        package let error: KafkaError
        /// The last epoch up to the one that was asked for of which the leader has messages; −1: there is none.
        package let epoch: Int32
        /// The offset behind the last of these; −1: there is none.
        package let end: Int64
    }

    package let throttle: Int32
    package let partitions: [Partition]

    /// - Parameter wishes: one for a partition at most.
    static func append(_ wishes: [Wish], version: Int16, to bytes: inout [UInt8]) {
        if version >= 3 { bytes.appendInt32(-1) }
        bytes.appendCount(wishes.count)
        for wish in wishes {
            bytes.appendString(wish.topic)
            bytes.appendCount(1)
            bytes.appendInt32(wish.index)
            bytes.appendInt32(wish.leaderEpoch)
            bytes.appendInt32(wish.epoch)
        }
    }

    package init(_ reader: inout FrameReader) throws(ProtocolError) {
        throttle = try reader.int32()
        partitions = try reader.array(ofAtLeast: 6) { (reader) throws(ProtocolError) in
            let topic = try reader.string()
            return try reader.array(ofAtLeast: 18) { (reader) throws(ProtocolError) in
                let error = KafkaError(code: try reader.int16())
                return Partition(
                    topic: topic, index: try reader.int32(), error: error,
                    epoch: try reader.int32(), end: try reader.int64())
            }
        }.flatMap { $0 }
    }
}
