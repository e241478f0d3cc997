import BroadcasterWire

/// Merges the messages of several partitions into one page, by their times; each partition keeps its own order.
struct PageBuilder {
    /// One partition's messages, and how many of them are in the page.
    private struct Source {
        let partition: Int
        let contents: FetchedRecords.Contents
        var taken = 0

        var head: FetchedRecords.Entry? {
            taken < contents.entries.count ? contents.entries[taken] : nil
        }
    }

    private var sources: [Source] = []
    private(set) var place: PlaceVector

    /// Bytes of messages after which a page ends.
    static let longest = 256 << 10

    /// - Parameter place: where the page begins.
    init(from place: PlaceVector) {
        self.place = place
    }

    mutating func add(_ contents: FetchedRecords.Contents, of partition: Int) {
        sources.append(Source(partition: partition, contents: contents))
    }

    /// Takes messages for the page, in order. The result is their block.
    ///
    /// - Parameter now: the time at which the messages are read.
    mutating func build(
        topic: Int, origin: Origin, count: Int, at now: Instant
    ) -> MessageBlock? {
        var collector = MessageCollector()
        collector.time = now
        // As long as the last position of the page: all have the same length.
        for source in sources { place[source.partition] = place[source.partition] }
        var position = place.bytes
        var (size, left) = (0, count)
        while left > 0, let number = next(), let entry = sources[number].head {
            if size > 0, size + entry.value.count > PageBuilder.longest { break }
            let source = sources[number]
            place.pass(entry.offset, entry.epoch, of: source.partition, in: &position)
            let buffer = source.contents.buffers[Int(entry.buffer)]
            _ = collector.add(
                buffer.span, entry.value, positionBytes: position, topic: topic, origin: origin)
            sources[number].taken += 1
            size += entry.value.count
            left -= 1
        }
        passHoles()
        return collector.finish()
    }

    /// The source with the oldest message.
    private func next() -> Int? {
        if sources.count == 1 { return sources[0].head == nil ? nil : 0 }
        var best: Int?
        var bestTime: Int64 = .max
        for number in sources.indices {
            guard let head = sources[number].head else { continue }
            if best == nil || head.time < bestTime { (best, bestTime) = (number, head.time) }
        }
        return best
    }

    /// Moves behind what is no message, where all before it was taken.
    private mutating func passHoles() {
        for source in sources where source.head == nil {
            if source.contents.next <= place[source.partition] { continue }
            place[source.partition] = source.contents.next
            place.setEpoch(source.contents.epoch, of: source.partition)
        }
    }

    /// True if all messages of the partition are in the page.
    func isTaken(_ partition: Int) -> Bool {
        sources.first { $0.partition == partition }?.head == nil
    }
}
