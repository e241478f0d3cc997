package import BroadcasterWire

/// A place in a topic: the next offset of each of its partitions. The position of a message is the place behind it.
///
/// Partitions have no order among each other. A reader takes them in turn, and its places follow each other: the sum of
/// their offsets rises, and stands first, so that positions are ordered as their bytes are.
///
/// Beside an offset stands, where the brokers tell it, the epoch of the leader that had the last message before it: a
/// later leader that lacks messages of that epoch is found out by it (`EpochTable`).
package struct PlaceVector: Hashable, Sendable {
    /// The next offset of each partition, by its number. One that is not named has its first message next.
    package private(set) var next: [Int64]
    /// The epochs, −1 where there is none; empty where no partition has one.
    private var epochs: [Int32] = []
    /// The partition of the message that this is the position of; nil for a mere place.
    package var last: Int?

    /// Partitions of a topic at most, for a position to hold them.
    package static let mostPartitions = 500
    /// Partitions at most, for a position to hold their epochs too.
    private static let mostEpochs = 340
    /// The sum and the partition of the last message.
    private static let head = 10
    /// Stands beside that partition where epochs follow.
    private static let epochMark: UInt16 = 0x8000

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
        guard bytes.count > PlaceVector.head else { return nil }
        var mark = UInt16(bytes[8]) << 8 | UInt16(bytes[9])
        let hasEpochs = mark & PlaceVector.epochMark != 0
        mark &= ~PlaceVector.epochMark
        let width = hasEpochs ? 12 : 8
        guard (bytes.count - PlaceVector.head) % width == 0 else { return nil }
        let count = (bytes.count - PlaceVector.head) / width
        var next: [Int64] = []
        for index in 0..<count {
            let start = PlaceVector.head + 8 * index
            let number = bytes[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard number < UInt64(Int64.max) else { return nil }
            next.append(Int64(number))
        }
        guard mark <= count else { return nil }
        self.init(next, last: mark == 0 ? nil : Int(mark) - 1)
        if hasEpochs {
            for index in 0..<count {
                let start = PlaceVector.head + 8 * count + 4 * index
                let number = bytes[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                setEpoch(Int32(bitPattern: number), of: index)
            }
        }
        guard self.bytes == bytes else { return nil }
    }

    package var position: Position {
        Position(bytes) ?? .origin
    }

    /// The next offset of a partition.
    package subscript(partition: Int) -> Int64 {
        get { partition < next.count ? next[partition] : 0 }
        set {
            while next.count <= partition {
                next.append(0)
                if !epochs.isEmpty { epochs.append(-1) }
            }
            next[partition] = newValue
        }
    }

    /// The epoch of the last message before the place; −1 where it is not known.
    func epoch(of partition: Int) -> Int32 {
        partition < epochs.count ? epochs[partition] : -1
    }

    mutating func setEpoch(_ epoch: Int32, of partition: Int) {
        if epoch < 0, epochs.isEmpty { return }
        self[partition] = self[partition]
        if epochs.isEmpty { epochs = next.map { _ in -1 } }
        epochs[partition] = max(epoch, -1)
        if !epochs.contains(where: { $0 >= 0 }) { epochs = [] }
    }

    /// True if both are the same place, whichever message was the last.
    func isPlace(of other: PlaceVector) -> Bool {
        (0..<max(next.count, other.next.count)).allSatisfy { self[$0] == other[$0] }
    }

    /// The place before the message that this is the position of.
    var before: PlaceVector {
        guard let last else { return self }
        var place = self
        place.last = nil
        place[last] = max(place[last] - 1, 0)
        return place
    }

    // MARK: Bytes

    private var hasEpochs: Bool { !epochs.isEmpty && next.count <= PlaceVector.mostEpochs }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(PlaceVector.head + (hasEpochs ? 12 : 8) * next.count)
        bytes.appendInt64(next.reduce(0, &+))
        bytes.appendInt16(Int16(bitPattern: mark))
        for offset in next { bytes.appendInt64(offset) }
        if hasEpochs { for epoch in epochs { bytes.appendInt32(epoch) } }
        return bytes
    }

    private var mark: UInt16 {
        UInt16(clamping: (last ?? -1) + 1) | (hasEpochs ? PlaceVector.epochMark : 0)
    }

    /// Moves the place behind a message, and its bytes with it.
    mutating func pass(
        _ offset: Int64, _ epoch: Int32, of partition: Int, in bytes: inout [UInt8]
    ) {
        let isNew = partition >= next.count || epoch != self.epoch(of: partition)
        self[partition] = offset + 1
        last = partition
        if isNew {
            setEpoch(epoch, of: partition)
            bytes = self.bytes
        } else {
            bytes.overwriteInt64(next.reduce(0, &+), at: 0)
            bytes[8] = UInt8(truncatingIfNeeded: mark >> 8)
            bytes[9] = UInt8(truncatingIfNeeded: mark)
            bytes.overwriteInt64(offset + 1, at: PlaceVector.head + 8 * partition)
        }
    }
}
