/// Kafka: Metadata, which makes the topics, and then Produce, one record each, to partition 0.
struct KafkaDialect: PublisherDialect {
    private let channels: [String]
    private var unread: [UInt8] = []
    private var hasTopics = false
    private let notBefore: Int

    /// - Parameter channels: the topics. Tansu accepts a message for one that it has not shown, and drops it.
    init(channels: [String]) {
        self.channels = channels
        // A connection is the first, or follows a server that was killed. A log that was made anew is recognised by its
        // end alone, since Tansu has no epochs: readers are to look before it is as long as it was.
        notBefore = Moment.now + 3_000_000
    }

    var isReady: Bool { hasTopics && Moment.now >= notBefore }

    var greeting: [UInt8] {
        request(3, version: 5, number(channels.count, 4) + channels.flatMap(string) + [1])
    }

    func publication(of number: Int, on channel: String) -> [UInt8] {
        let records = batch(Array("\(number)".utf8))
        let partition = self.number(1, 4) + self.number(0, 4) + self.number(records.count, 4)
        return request(
            0, version: 7,
            self.number(-1, 2) + self.number(-1, 2) + self.number(10_000, 4)
                + self.number(1, 4) + string(channel) + partition + records)
    }

    mutating func answers(in bytes: [UInt8]) -> [Bool] {
        unread += bytes
        var answers: [Bool] = []
        var start = 0
        while unread.count >= start + 4 {
            let size = unread[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            guard unread.count >= start + 4 + size else { break }
            let body = unread[start + 8..<start + 4 + size]
            if hasTopics { answers.append(isAccepted(body)) }
            hasTopics = true
            start += 4 + size
        }
        unread.removeFirst(start)
        return answers
    }

    /// The error of the one partition: behind the topics' count and name, the partitions' count and number.
    private func isAccepted(_ body: ArraySlice<UInt8>) -> Bool {
        let name = body.dropFirst(4).prefix(2).reduce(0) { $0 << 8 | Int($1) }
        return body.dropFirst(4 + 2 + name + 4 + 4).prefix(2).elementsEqual([0, 0])
    }

    /// A batch of one record, of format 2, without a time: zero.
    private func batch(_ value: [UInt8]) -> [UInt8] {
        let record: [UInt8] = [0, 0, 0, 1] + varint(value.count) + value + [0]
        let covered =
            number(0, 2) + number(0, 4) + number(0, 8) + number(0, 8) + number(-1, 8)
            + number(-1, 2) + number(-1, 4) + number(1, 4) + varint(record.count) + record
        return number(0, 8) + number(covered.count + 9, 4) + number(-1, 4) + [2]
            + number(Int(checksum(covered)), 4) + covered
    }

    /// CRC-32C, a bit at a time.
    private func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum: UInt32 = .max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
        }
        return ~sum
    }

    /// Zigzag, for numbers below 64 × 128.
    private func varint(_ number: Int) -> [UInt8] {
        let twice = number * 2
        return twice < 128 ? [UInt8(twice)] : [UInt8(twice & 127 | 128), UInt8(twice >> 7)]
    }

    private func string(_ text: String) -> [UInt8] { number(text.utf8.count, 2) + text.utf8 }

    private func number(_ value: Int, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * (size - 1 - $0))) }
    }

    private func request(_ key: Int, version: Int, _ body: [UInt8]) -> [UInt8] {
        let header = number(key, 2) + number(version, 2) + number(0, 4) + string("soak")
        return number(header.count + body.count, 4) + header + body
    }
}
