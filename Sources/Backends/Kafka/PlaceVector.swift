package import BroadcasterWire

/// A place in a topic: the next offset of each of its partitions. The position of a message is the place behind it.
///
/// Partitions have no order among each other. A reader takes them in turn, and its places follow each other: the sum of
/// their offsets rises, and stands first, so that positions are ordered as their bytes are.
package struct PlaceVector: Hashable, Sendable {
    /// The next offset of each partition, by its number. One that is not named has its first message next.
    package var next: [Int64]
    /// The partition of the message that this is the position of; nil for a mere place.
    package var last: Int?

    /// Partitions of a topic at most, for a position to hold them.
    package static let mostPartitions = 500
    /// The sum and the partition of the last message.
    private static let head = 10

    package init(_ next: [Int64], last: Int? = nil) {
        self.next = next
        self.last = last
    }

    /// The place that a position names; nil for one that no topic has.
    package init?(_ position: Position) {
        let bytes = position.bytes
        if bytes.isEmpty {
            self.init([])
            return
        }
        guard bytes.count > PlaceVector.head, (bytes.count - PlaceVector.head) % 8 == 0 else {
            return nil
        }
        let mark = Int(bytes[8]) << 8 | Int(bytes[9])
        var next: [Int64] = []
        for start in stride(from: PlaceVector.head, to: bytes.count, by: 8) {
            let number = bytes[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard number < UInt64(Int64.max) else { return nil }
            next.append(Int64(number))
        }
        guard mark <= next.count else { return nil }
        self.init(next, last: mark == 0 ? nil : mark - 1)
        guard self.bytes == bytes else { return nil }
    }

    package var position: Position {
        Position(bytes) ?? .origin
    }

    /// The next offset of a partition.
    package subscript(partition: Int) -> Int64 {
        get { partition < next.count ? next[partition] : 0 }
        set {
            while next.count <= partition { next.append(0) }
            next[partition] = newValue
        }
    }

    /// True if both are the same place, whichever message was the last.
    func isPlace(of other: PlaceVector) -> Bool {
        (0..<max(next.count, other.next.count)).allSatisfy { self[$0] == other[$0] }
    }

    /// The place before the message that this is the position of.
    var before: PlaceVector {
        guard let last else { return self }
        var place = PlaceVector(next)
        place[last] = max(place[last] - 1, 0)
        return place
    }

    // MARK: Bytes

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(PlaceVector.head + 8 * next.count)
        bytes.appendInt64(next.reduce(0, &+))
        bytes.appendInt16(Int16(clamping: (last ?? -1) + 1))
        for offset in next { bytes.appendInt64(offset) }
        return bytes
    }

    /// Moves the place behind a message, and its bytes with it.
    mutating func pass(_ offset: Int64, of partition: Int, in bytes: inout [UInt8]) {
        let isLonger = partition >= next.count
        self[partition] = offset + 1
        last = partition
        if isLonger {
            bytes = self.bytes
        } else {
            bytes.overwriteInt64(next.reduce(0, &+), at: 0)
            bytes[8] = UInt8(truncatingIfNeeded: (partition + 1) >> 8)
            bytes[9] = UInt8(truncatingIfNeeded: partition + 1)
            bytes.overwriteInt64(offset + 1, at: PlaceVector.head + 8 * partition)
        }
    }
}
