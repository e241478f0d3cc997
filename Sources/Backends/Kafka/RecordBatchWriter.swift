package import BroadcasterWire

/// Writes messages as one record batch of format 2: values alone, without key and headers, uncompressed.
package enum RecordBatchWriter {
    /// - Parameters:
    ///   - time: milliseconds since 1970, the time of all messages.
    ///   - sequence: the number of the first message among its producer's for the partition; −1 without a producer.
    package static func batch(
        of payloads: [Payload], time: Int64, producer: ProducerIdentity = .none,
        sequence: Int32 = -1
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        let size = payloads.reduce(RecordBatch.headerSize) { $0 + recordSize($1.byteCount) }
        bytes.reserveCapacity(size)
        let count = Int32(clamping: payloads.count)
        bytes.appendInt64(0)
        bytes.appendInt32(0)
        bytes.appendInt32(-1)
        bytes.appendInt8(2)
        bytes.appendInt32(0)
        bytes.appendInt16(0)
        bytes.appendInt32(count - 1)
        bytes.appendInt64(time)
        bytes.appendInt64(time)
        bytes.appendInt64(producer.id)
        bytes.appendInt16(producer.epoch)
        bytes.appendInt32(sequence)
        bytes.appendInt32(count)
        for (delta, payload) in payloads.enumerated() { append(payload, delta, to: &bytes) }
        bytes.overwriteInt32(Int32(clamping: bytes.count - RecordBatch.overhead), at: 8)
        let checksum = CRC32C.checksum(bytes.span, 21..<bytes.count)
        bytes.overwriteInt32(Int32(bitPattern: checksum), at: 17)
        return bytes
    }

    /// The most bytes that a message of `count` bytes takes as a record.
    package static func recordSize(_ count: Int) -> Int {
        // Attributes, both deltas, no key and no headers take at most 9 bytes; two lengths 5 each.
        count + 19
    }

    private static func append(_ payload: Payload, _ delta: Int, to bytes: inout [UInt8]) {
        let count = payload.byteCount
        // attributes, timestamp delta, offset delta, key length, value length, value, headers' count
        let length = 4 + Varint.size(Int64(delta)) + Varint.size(Int64(count)) + count
        Varint.append(Int64(length), to: &bytes)
        bytes.append(0)
        bytes.append(0)
        Varint.append(Int64(delta), to: &bytes)
        Varint.append(-1, to: &bytes)
        Varint.append(Int64(count), to: &bytes)
        payload.append(to: &bytes)
        bytes.append(0)
    }
}
