/// Consecutive messages from one origin to one topic, in one piece of memory.
///
/// A server that is busy on one channel hands over hundreds of messages in a read. They travel
/// to all subscribers as one run: one allocation, one look-up and one lock for the lot. Each message
/// is its length (four bytes, little-endian) and its bytes.
package struct MessageRun: Sendable {
    package let topic: Int
    package let origin: Origin
    package private(set) var count = 0
    package private(set) var storage: [UInt8] = []

    /// What each message takes beside its bytes.
    package static let headerSize = 4

    package init(topic: Int, origin: Origin) {
        self.topic = topic
        self.origin = origin
    }

    package init(topic: Int, origin: Origin, message payload: Payload) {
        self.init(topic: topic, origin: origin)
        storage.reserveCapacity(MessageRun.headerSize + payload.byteCount)
        appendHeader(payload.byteCount)
        payload.append(to: &storage)
    }

    /// Adds the message that lies in `bytes` at `range`.
    package mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        if count == 0 {
            // A run of one, as with many channels, gets no byte more than it needs.
            storage.reserveCapacity(MessageRun.headerSize + range.count)
        }
        appendHeader(range.count)
        storage.append(bytes, range)
    }

    private mutating func appendHeader(_ length: Int) {
        storage.appendLittleEndian(UInt32(truncatingIfNeeded: length))
        count += 1
    }

    /// Where the message whose header is at `offset` lies.
    package func message(at offset: Int) -> Range<Int> {
        MessageRun.message(in: storage, at: offset)
    }

    static func message(in storage: [UInt8], at offset: Int) -> Range<Int> {
        let length =
            Int(storage[offset]) | Int(storage[offset + 1]) << 8
            | Int(storage[offset + 2]) << 16 | Int(storage[offset + 3]) << 24
        let start = offset + headerSize
        return start..<start + length
    }
}

/// A run that is finished: one object for all its subscribers and all messages that they take from it.
package final class MessageBlock: Sendable {
    package let topic: Int
    package let origin: Origin
    package let count: Int
    package let storage: [UInt8]

    package init(_ run: MessageRun) {
        topic = run.topic
        origin = run.origin
        count = run.count
        storage = run.storage
    }

    private init(_ block: MessageBlock, count: Int, storage: [UInt8]) {
        topic = block.topic
        origin = block.origin
        self.count = count
        self.storage = storage
    }

    /// How many bytes the messages themselves have.
    package var payloadSize: Int { storage.count - count * MessageRun.headerSize }

    /// The first `number` messages, which end at `offset`.
    package func prefix(_ number: Int, endingAt offset: Int) -> MessageBlock {
        if number == count { return self }
        return MessageBlock(self, count: number, storage: Array(storage[..<offset]))
    }

    /// Where the message whose header is at `offset` lies.
    package func message(at offset: Int) -> Range<Int> {
        MessageRun.message(in: storage, at: offset)
    }
}
