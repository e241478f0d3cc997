/// Received bytes that the session has not read yet.
///
/// `bytes[start...]` is unread. Consuming moves `start`; the next filling of the buffer wins back the space before
/// it, so a byte is moved at most once a read, and only those that a read left over.
///
/// A large message is read into memory of its own size: a session that knows how long the message at `start` is says
/// so by `expect`, and when all of it is there, takes that memory by `takeLarge`, without a copy.
public struct ReceiveBuffer: Sendable {
    /// The bytes; those before `start` have been read.
    public private(set) var bytes: [UInt8] = []
    /// The index of the first byte that has not been read.
    public private(set) var start = 0
    /// The number of bytes consumed before `bytes[0]`, so that errors can name a place in the stream.
    private var consumedBefore = 0
    /// The bytes from `start` on that a large message takes, as its sender says; 0 for none.
    package private(set) var expected = 0
    /// The memory of the largest message that has come, and was taken out.
    private var largest = ReceiveBuffer.trusted

    /// A buffer that holds these bytes.
    public init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// The number of bytes that have not been read.
    public var count: Int { bytes.count - start }
    /// True if all has been read.
    public var isEmpty: Bool { start == bytes.count }

    /// The place in the whole stream of the byte at `index` of `bytes`.
    public func streamOffset(of index: Int) -> Int { consumedBefore + index }

    /// Marks everything before `index` of `bytes` as read.
    public mutating func consume(upTo index: Int) {
        precondition(index >= start && index <= bytes.count, "consumed beyond what was received")
        if index > start { expected = 0 }
        start = index
    }

    /// Adds bytes at the end.
    public mutating func append(_ more: some Sequence<UInt8>) {
        fill { $0.append(contentsOf: more) }
    }

    /// Lets `body` add bytes at the end.
    package mutating func fill<Result, Failure: Error>(
        _ body: (inout [UInt8]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        compact()
        return try body(&bytes)
    }

    // MARK: Large messages

    /// The bytes from which on a message gets memory of its own. Of smaller ones a read brings several, and wakes their
    /// subscriber once: that saves more than the copy costs.
    package static let large = 1 << 18
    /// The memory that any peer gets for a message, whatever it has sent of it.
    private static let trusted = 1 << 16
    /// The bytes that are read behind a large message: enough to see how long the next one is.
    private static let margin = 4096

    /// Notes that what begins at `start` takes `count` bytes.
    package mutating func expect(_ count: Int) {
        expected = count >= ReceiveBuffer.large ? count : 0
    }

    /// Makes room for a read, and returns how many bytes it may bring: `limit`, or where a large message is expected, what
    /// is missing of it.
    ///
    /// A peer that declares a great length gets memory for four times of what it has sent, or as much as an earlier
    /// message of its had: never for the declaration alone.
    ///
    /// - Parameters:
    ///   - limit: the bytes of a usual read.
    ///   - surplus: bytes that a read may bring beyond its limit.
    package mutating func makeRoom(limit: Int, surplus: Int = 0) -> Int {
        guard expected > count else { return limit }
        let needed = expected + ReceiveBuffer.margin + surplus
        let isFull = bytes.capacity - count < min(needed - count, ReceiveBuffer.margin + surplus)
        if isFull || bytes.capacity > 2 * needed {
            var replacement: [UInt8] = []
            replacement.reserveCapacity(min(needed, max(largest, 4 * count)))
            replacement.append(contentsOf: bytes[start...])
            consumedBefore += start
            (bytes, start) = (replacement, 0)
        } else {
            compact()
        }
        return max(min(needed, bytes.capacity) - count - surplus, 1)
    }

    /// Consumes what comes before `end`, and gives away the memory that it is in. The bytes behind `end` stay here. nil
    /// where the memory is much more than a message needs, which may be kept for long.
    package mutating func takeLarge(upTo end: Int) -> [UInt8]? {
        precondition(end > start && end <= bytes.count, "consumed beyond what was received")
        guard end - start >= bytes.capacity / 2 else { return nil }
        largest = max(largest, min(bytes.capacity, end - start + ReceiveBuffer.margin))
        let rest = Array(bytes[end...])
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        taken.removeLast(rest.count)
        consumedBefore += end
        (bytes, start, expected) = (rest, 0, 0)
        return taken
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
