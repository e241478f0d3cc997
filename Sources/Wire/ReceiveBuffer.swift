/// Received bytes that the session has not read yet.
///
/// `bytes[start...]` is unread. Consuming moves `start`; the next filling of the buffer wins back the space before
/// it, so a byte is moved at most once a read, and only those that a read left over.
package struct ReceiveBuffer: Sendable {
    package private(set) var bytes: [UInt8] = []
    package private(set) var start = 0
    /// The number of bytes consumed before `bytes[0]`, so that errors can name a place in the stream.
    private var consumedBefore = 0

    package init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    package var count: Int { bytes.count - start }
    package var isEmpty: Bool { start == bytes.count }

    /// The place in the whole stream of the byte at `index` of `bytes`.
    package func streamOffset(of index: Int) -> Int { consumedBefore + index }

    /// Marks everything before `index` of `bytes` as read.
    package mutating func consume(upTo index: Int) {
        precondition(index >= start && index <= bytes.count, "consumed beyond what was received")
        start = index
    }

    package mutating func append(_ more: some Sequence<UInt8>) {
        fill { $0.append(contentsOf: more) }
    }

    /// Lets `body` add bytes at the end.
    package mutating func fill<Result, Failure: Error>(
        _ body: (inout [UInt8]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        compact()
        return try body(&bytes)
    }

    private mutating func compact() {
        guard start > 0 else { return }
        consumedBefore += start
        if isEmpty {
            bytes.removeAll(keepingCapacity: bytes.capacity <= ReceiveBuffer.keptCapacity)
        } else {
            bytes.removeFirst(start)
        }
        start = 0
    }

    /// The largest capacity that an empty buffer keeps: one that grew for a huge message gives its memory back.
    private static let keptCapacity = 1 << 20
}
