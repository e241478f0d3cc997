/// The topics of a session, found by the bytes of their names as they stand in the receive buffer.
///
/// A dictionary would need a `String` or an array for every message that comes. This is a hash
/// table with open addressing, linear probing and a seed of its process's (names may come from
/// strangers); the last hit is tried first, since servers deliver in runs.
package struct TopicIndex: Sendable {
    package struct Entry: Sendable {
        package let topic: Topic
        /// Where messages of this topic come from, if it is a channel.
        package let origin: Origin
        let name: [UInt8]
        let hash: UInt64
    }

    private static let seed = UInt64.random(in: .min ... .max)

    private var slots: [Entry?] = Array(repeating: nil, count: 16)
    private var lastHit = 0
    package private(set) var count = 0

    package init() {}

    package mutating func insert(_ topic: Topic) {
        if (count + 1) * 2 > slots.count { grow() }
        let name = Array(topic.name.text.utf8)
        let hash = TopicIndex.hash(name.span, 0..<name.count)
        let slot = find(name.span, 0..<name.count, hash)
        if slots[slot] == nil { count += 1 }
        slots[slot] = Entry(
            topic: topic, origin: Origin(channel: topic.name.text), name: name, hash: hash)
    }

    package mutating func remove(_ name: String) {
        let name = Array(name.utf8)
        var hole = find(
            name.span, 0..<name.count, TopicIndex.hash(name.span, 0..<name.count))
        guard slots[hole] != nil else { return }
        slots[hole] = nil
        count -= 1
        // Close the gap that the entry leaves in its probe sequence (Knuth 6.4, algorithm R).
        var slot = hole
        while true {
            slot = (slot + 1) & (slots.count - 1)
            guard let entry = slots[slot] else { return }
            let home = self.home(of: entry.hash)
            let distance = (slot - home) & (slots.count - 1)
            if distance >= (slot - hole) & (slots.count - 1) {
                slots[hole] = entry
                slots[slot] = nil
                hole = slot
            }
        }
    }

    /// The topic whose name lies in `bytes` at `range`.
    package mutating func find(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Entry? {
        if let entry = slots[lastHit], TopicIndex.equal(entry.name.span, bytes, range) {
            return entry
        }
        let slot = find(bytes, range, TopicIndex.hash(bytes, range))
        guard let entry = slots[slot] else { return nil }
        lastHit = slot
        return entry
    }

    /// The topic with this name.
    package mutating func find(_ name: String) -> Entry? {
        let name = Array(name.utf8)
        return find(name.span, name.indices)
    }

    package func contains(_ topic: Topic) -> Bool {
        let name = Array(topic.name.text.utf8)
        return slots[find(name.span, name.indices, TopicIndex.hash(name.span, name.indices))] != nil
    }

    private func home(of hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash >> 32) & (slots.count - 1)
    }

    /// The slot of the entry with this name, or the empty one where it would go.
    private func find(_ bytes: Span<UInt8>, _ range: Range<Int>, _ hash: UInt64) -> Int {
        var slot = home(of: hash)
        while let entry = slots[slot] {
            if entry.hash == hash, TopicIndex.equal(entry.name.span, bytes, range) { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: nil, count: old.count * 2)
        lastHit = 0
        for case let entry? in old {
            slots[find(entry.name.span, 0..<entry.name.count, entry.hash)] = entry
        }
    }

    private static func equal(
        _ name: Span<UInt8>, _ bytes: Span<UInt8>, _ range: Range<Int>
    ) -> Bool {
        guard name.count == range.count else { return false }
        for index in name.indices where name[index] != bytes[range.lowerBound + index] {
            return false
        }
        return true
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
