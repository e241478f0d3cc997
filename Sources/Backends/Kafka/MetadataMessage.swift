package import BroadcasterWire

/// Metadata, versions 5 and 7: brokers, and the leaders of topics' partitions.
package struct MetadataMessage: Sendable {
    package struct Broker: Hashable, Sendable {
        package let id: Int32
        package let host: String
        package let port: Int32
    }

    package struct Partition: Hashable, Sendable {
        package let index: Int32
        /// Below zero where there is none now.
        package let leader: Int32
        /// −1 where the version has none.
        package let epoch: Int32
    }

    package struct Topic: Sendable {
        package let name: String
        package let error: KafkaError
        package let partitions: [Partition]
    }

    package let throttle: Int32
    package let brokers: [Broker]
    package let cluster: String?
    package let controller: Int32
    package let topics: [Topic]

    /// - Parameter topics: none: the brokers alone.
    static func append(
        topics: [String], createsTopics: Bool, to bytes: inout [UInt8]
    ) {
        bytes.appendCount(topics.count)
        for topic in topics { bytes.appendString(topic) }
        bytes.appendBool(createsTopics)
    }

    package init(_ reader: inout FrameReader, version: Int16) throws(ProtocolError) {
        throttle = try reader.int32()
        brokers = try reader.array(ofAtLeast: 12) { (reader) throws(ProtocolError) in
            let broker = Broker(
                id: try reader.int32(), host: try reader.string(), port: try reader.int32())
            _ = try reader.nullableString()
            return broker
        }
        cluster = try reader.nullableString()
        controller = try reader.int32()
        topics = try reader.array(ofAtLeast: 9) { (reader) throws(ProtocolError) in
            let error = KafkaError(code: try reader.int16())
            let name = try reader.string()
            _ = try reader.bool()
            let partitions = try reader.array(ofAtLeast: 22) { (reader) throws(ProtocolError) in
                try MetadataMessage.partition(&reader, version: version)
            }
            return Topic(name: name, error: error, partitions: partitions)
        }
    }

    private static func partition(
        _ reader: inout FrameReader, version: Int16
    ) throws(ProtocolError) -> Partition {
        // The partition's own error says no more than a leader below zero does.
        _ = try reader.int16()
        let index = try reader.int32()
        let leader = try reader.int32()
        let epoch = version >= 7 ? try reader.int32() : -1
        for _ in 0..<3 { try reader.skipInt32Array() }
        return Partition(index: index, leader: leader, epoch: epoch)
    }
}
