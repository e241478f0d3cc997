package import BroadcasterWire

/// Produce, version 7.
package struct ProduceMessage: Sendable {
    package struct Partition: Hashable, Sendable {
        package let topic: String
        package let index: Int32
        package let error: KafkaError
        package let baseOffset: Int64
    }

    package let partitions: [Partition]
    package let throttle: Int32

    /// - Parameters:
    ///   - acks: −1 for all replicas that are in sync, 1 for the leader alone.
    ///   - timeout: the longest time that the broker waits for replicas, in milliseconds.
    ///   - batches: one for a partition at most: Kafka refuses two.
    static func append(
        acks: Int16, timeout: Int32, batches: [ProduceBatch], to bytes: inout [UInt8]
    ) {
        bytes.appendString(nil)
        bytes.appendInt16(acks)
        bytes.appendInt32(timeout)
        bytes.appendCount(batches.count)
        for batch in batches {
            bytes.appendString(batch.topic)
            bytes.appendCount(1)
            bytes.appendInt32(batch.partition)
            bytes.appendSizedBytes(batch.records)
        }
    }

    package init(_ reader: inout FrameReader) throws(ProtocolError) {
        partitions = try reader.array(ofAtLeast: 6) { (reader) throws(ProtocolError) in
            let topic = try reader.string()
            return try reader.array(ofAtLeast: 30) { (reader) throws(ProtocolError) in
                let partition = Partition(
                    topic: topic, index: try reader.int32(),
                    error: KafkaError(code: try reader.int16()), baseOffset: try reader.int64())
                // The time of the append and the first offset that is kept.
                _ = (try reader.int64(), try reader.int64())
                return partition
            }
        }.flatMap { $0 }
        throttle = try reader.int32()
    }
}
