/// The topics of a session, found by the bytes of their names as they stand in the receive buffer.
///
/// A dictionary would need a `String` or an array for every message. This is a hash table with open addressing,
/// linear probing and a seed for each process (strangers may choose names); a session that reads runs of messages
/// remembers the last one.
public struct TopicIndex: Sendable {
    /// A topic that was found.
    public struct Entry: Sendable {
        /// The topic's number.
        public let topic: Int
        /// The origin of this topic's messages, if it is a channel; its name in any case.
        public let origin: Origin
    }

    /// An entry that a look-up passes: small, so that it passes many without a cache miss. The name is the origin's,
    /// which the message will need: each place in memory less is a wait less with many channels.
    private struct Slot: Sendable {
        var hash: UInt32 = 0
        var topic: Int32 = 0
        var origin: Origin?
    }

    private static let seed = UInt64.random(in: .min ... .max)

    private var slots = Array(repeating: Slot(), count: 16)
    /// The number of topics.
    public private(set) var count = 0

    /// An index without a topic.
    public init() {}

    /// Adds a topic, or replaces the one with its name.
    public mutating func insert(_ topic: Topic) {
        if (count + 1) * 2 > slots.count { grow() }
        let (hash, slot) = place(of: topic.name)
        if slots[slot].origin == nil { count += 1 }
        // An Int32 suffices: more topics do not fit into any memory.
        slots[slot] = Slot(
            hash: hash, topic: Int32(truncatingIfNeeded: topic.id),
            origin: Origin(topic.name))
    }

    /// Removes the channel or pattern with this name, if it is there.
    public mutating func remove(_ name: String) {
        remove(.channel(name))
    }

    /// Removes the topic with this name, if it is there.
    public mutating func remove(_ name: TopicName) {
        var hole = place(of: name).slot
        guard slots[hole].origin != nil else { return }
        slots[hole] = Slot()
        count -= 1
        // Close the hole that the entry leaves in its probe sequence (Knuth 6.4, algorithm R).
        var slot = hole
        while true {
            slot = (slot + 1) & (slots.count - 1)
            guard slots[slot].origin != nil else { return }
            let distance = (slot - home(of: slots[slot].hash)) & (slots.count - 1)
            if distance >= (slot - hole) & (slots.count - 1) {
                slots[hole] = slots[slot]
                slots[slot] = Slot()
                hole = slot
            }
        }
    }

    /// Finds the topic whose name lies in `bytes` at `range`.
    public func find(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Entry? {
        let slot = slots[find(bytes, range, TopicIndex.hash(bytes, range))]
        return slot.origin.map { Entry(topic: Int(slot.topic), origin: $0) }
    }

    /// Finds the topic with this name.
    public func find(_ name: String) -> Entry? {
        let name = name.utf8.span
        return find(name, 0..<name.count)
    }

    /// True if a topic with the same name is there.
    public func contains(_ topic: Topic) -> Bool {
        slots[place(of: topic.name).slot].origin != nil
    }

    /// The hash of a name, and the slot where it is or would go.
    private func place(of name: TopicName) -> (hash: UInt32, slot: Int) {
        switch name {
        case .channel(let text), .pattern(let text): place(of: text.utf8.span)
        case .binaryChannel(let bytes): place(of: bytes.span)
        }
    }

    private func place(of name: Span<UInt8>) -> (hash: UInt32, slot: Int) {
        let hash = TopicIndex.hash(name, 0..<name.count)
        return (hash, find(name, 0..<name.count, hash))
    }

    private func home(of hash: UInt32) -> Int {
        Int(hash) & (slots.count - 1)
    }

    /// Finds the slot of the entry with this name, or the empty one where it would go.
    private func find(_ bytes: Span<UInt8>, _ range: Range<Int>, _ hash: UInt32) -> Int {
        var slot = home(of: hash)
        while let origin = slots[slot].origin {
            if slots[slot].hash == hash, origin.isNamed(bytes, range) { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: old.count * 2)
        for taken in old where taken.origin != nil {
            var slot = home(of: taken.hash)
            while slots[slot].origin != nil { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = taken
        }
    }

    /// Hashes by multiplying and folding, eight bytes at a time, as wyhash does.
    private static func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32 {
        var hash = seed ^ UInt64(truncatingIfNeeded: range.count)
        var word: UInt64 = 0
        var filled = 0
        for index in range {
            word = word << 8 | UInt64(bytes[index])
            filled += 1
            if filled == 8 {
                hash = mix(hash ^ word)
                word = 0
                filled = 0
            }
        }
        return UInt32(truncatingIfNeeded: mix(hash ^ word) >> 32)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return product.high ^ product.low
    }
}
