/// The topics of a session, found by the bytes of their names as they stand in the receive buffer.
///
/// A dictionary would need a `String` or an array for every message that comes. This is a hash
/// table with open addressing, linear probing and a seed of its process's (names may come from
/// strangers); a session that reads runs of messages remembers the last one.
package struct TopicIndex: Sendable {
    package final class Entry: Sendable {
        package let topic: Topic
        /// Where messages of this topic come from, if it is a channel.
        package let origin: Origin
        let name: [UInt8]

        init(_ topic: Topic, name: [UInt8]) {
            self.topic = topic
            self.name = name
            origin = Origin(channel: topic.name.text)
        }
    }

    /// What a look-up goes through: small, so that it passes over many without a cache miss.
    private struct Slot: Sendable {
        var hash: UInt64 = 0
        var entry: Entry?
    }

    private static let seed = UInt64.random(in: .min ... .max)

    private var slots = Array(repeating: Slot(), count: 16)
    package private(set) var count = 0

    package init() {}

    package mutating func insert(_ topic: Topic) {
        if (count + 1) * 2 > slots.count { grow() }
        let name = Array(topic.name.text.utf8)
        let hash = TopicIndex.hash(name.span, name.indices)
        let slot = find(name.span, name.indices, hash)
        if slots[slot].entry == nil { count += 1 }
        slots[slot] = Slot(hash: hash, entry: Entry(topic, name: name))
    }

    package mutating func remove(_ name: String) {
        let name = Array(name.utf8)
        var hole = find(name.span, name.indices, TopicIndex.hash(name.span, name.indices))
        guard slots[hole].entry != nil else { return }
        slots[hole] = Slot()
        count -= 1
        // Close the gap that the entry leaves in its probe sequence (Knuth 6.4, algorithm R).
        var slot = hole
        while true {
            slot = (slot + 1) & (slots.count - 1)
            guard slots[slot].entry != nil else { return }
            let distance = (slot - home(of: slots[slot].hash)) & (slots.count - 1)
            if distance >= (slot - hole) & (slots.count - 1) {
                slots[hole] = slots[slot]
                slots[slot] = Slot()
                hole = slot
            }
        }
    }

    /// The topic whose name lies in `bytes` at `range`.
    package func find(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Entry? {
        slots[find(bytes, range, TopicIndex.hash(bytes, range))].entry
    }

    /// The topic with this name.
    package func find(_ name: String) -> Entry? {
        let name = name.utf8.span
        return find(name, 0..<name.count)
    }

    package func contains(_ topic: Topic) -> Bool {
        find(topic.name.text) != nil
    }

    private func home(of hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash >> 32) & (slots.count - 1)
    }

    /// The slot of the entry with this name, or the empty one where it would go.
    private func find(_ bytes: Span<UInt8>, _ range: Range<Int>, _ hash: UInt64) -> Int {
        var slot = home(of: hash)
        while let entry = slots[slot].entry {
            if slots[slot].hash == hash, entry.name.count == range.count,
                bytes.holds(entry.name, at: range.lowerBound)
            {
                break
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: old.count * 2)
        for taken in old where taken.entry != nil {
            var slot = home(of: taken.hash)
            while slots[slot].entry != nil { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = taken
        }
    }

    /// Multiply and fold, eight bytes at a time, as wyhash does.
    private static func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
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
        return mix(hash ^ word)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return product.high ^ product.low
    }
}
