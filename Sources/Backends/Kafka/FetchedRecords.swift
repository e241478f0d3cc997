import BroadcasterWire

/// The record batches that a fetch has brought of one partition, and what is known of them.
struct FetchedRecords: Sendable {
    /// A message's place among them.
    struct Entry: Hashable, Sendable {
        let offset: Int64
        /// Milliseconds.
        let time: Int64
        /// The number of the buffer, and the place of the value in it.
        let buffer: Int32
        /// That of the leader that had the message first; −1: not told.
        let epoch: Int32
        let value: Range<Int>
    }

    /// The messages of a part of the batches.
    struct Contents: Sendable {
        var entries: [Entry] = []
        /// What the entries' values lie in.
        var buffers: [[UInt8]] = []
        /// Messages that cannot be read, in words.
        var losses: [String] = []
        /// The offset behind what was read.
        var next: Int64
        /// The epoch of the last batch before `next`; −1: not told.
        var epoch: Int32 = -1
        /// True if nothing more is there.
        var isWhole = false
        /// A batch's checksum is wrong: it is to be fetched once more.
        var isCorrupt = false
    }

    private let bytes: [UInt8]
    private let range: Range<Int>
    private let aborted: [FetchMessage.Aborted]
    /// The offset that was asked for.
    let start: Int64
    let highWatermark: Int64
    /// The last offset of the last whole batch; −1: there is none.
    private(set) var lastOffset: Int64 = -1
    /// By their places, the batches whose checksums were looked at, and whether they are right.
    private var checked: [Int: Bool] = [:]
    /// The last batch that was compressed, so that a page that ends in it costs no second time.
    private var unpacked: (base: Int64, bytes: [UInt8])?

    /// - Throws: where a batch's head cannot be true, so that the next one cannot be found.
    init(
        _ bytes: [UInt8], _ partition: FetchMessage.Partition, from start: Int64
    ) throws(ProtocolError) {
        self.bytes = bytes
        self.start = start
        range = partition.records
        highWatermark = partition.highWatermark
        aborted = partition.aborted.sorted { $0.firstOffset > $1.firstOffset }
        var place = range.lowerBound
        do throws(RecordFault) {
            while let batch = try RecordBatch(bytes.span, at: place, before: range.upperBound) {
                place += batch.size
                lastOffset = max(lastOffset, batch.lastOffset)
            }
        } catch {
            throw ProtocolError("Kafka Fetch answer: \(error.description)")
        }
    }

    private func header(at start: Int) -> RecordBatch? {
        // Each was looked at before.
        try? RecordBatch(bytes.span, at: start, before: range.upperBound)
    }

    // MARK: Reading

    /// Reads messages from `place` on.
    ///
    /// - Parameters:
    ///   - end: the offset of the first message that is not read.
    ///   - count: the most messages.
    ///   - passesCorrupt: whether a batch with a wrong checksum is passed over, since it was fetched twice.
    mutating func read(
        from place: Int64, before end: Int64?, count: Int, passesCorrupt: Bool,
        _ options: ReadOptions
    ) -> Contents {
        var contents = Contents(next: place)
        contents.buffers = [bytes]
        var transactions = AbortedTransactions(aborted)
        var start = range.lowerBound
        while let batch = header(at: start) {
            defer { start += batch.size }
            let isAborted = transactions.covers(batch, bytes.span, at: start)
            if batch.lastOffset < contents.next { continue }
            if let end, batch.baseOffset >= end, contents.next >= end { return contents }
            if contents.entries.count >= count { return contents }
            if !isRight(batch, at: start) {
                guard passesCorrupt else {
                    contents.isCorrupt = true
                    return contents
                }
                contents.lose(batch.count, of: batch, "whose checksum is wrong")
                contents.next = batch.lastOffset + 1
                continue
            }
            contents.epoch = options.tellsEpochs ? batch.leaderEpoch : -1
            if batch.isControl || isAborted && options.isolation == .readCommitted {
                contents.next = batch.lastOffset + 1
                continue
            }
            guard take(batch, at: start, before: end, count, options, &contents) else {
                return contents
            }
        }
        contents.isWhole = true
        return contents
    }

    private mutating func isRight(_ batch: RecordBatch, at start: Int) -> Bool {
        if batch.isOldFormat { return true }
        if let known = checked[start] { return known }
        let covered = start + 21..<start + batch.size
        let isRight = CRC32C.checksum(bytes.span, covered) == batch.checksum
        checked[start] = isRight
        return isRight
    }

    /// False if the page ends within the batch.
    private mutating func take(
        _ batch: RecordBatch, at start: Int, before end: Int64?, _ count: Int,
        _ options: ReadOptions, _ contents: inout Contents
    ) -> Bool {
        if batch.isOldFormat {
            contents.lose(1, of: batch, "in format \(batch.magic), of before Kafka 0.11")
            contents.next = batch.lastOffset + 1
            return true
        }
        let body = start + RecordBatch.headerSize..<start + batch.size
        if batch.codec == .none {
            return contents.append(batch, 0, bytes.span, body, before: end, count, options)
        }
        do throws(RecordFault) {
            if unpacked?.base != batch.baseOffset {
                let whole = try Compression.unpack(
                    bytes.span, body, batch.codec, limit: options.unpackedLimit)
                unpacked = (batch.baseOffset, whole)
            }
            let whole = unpacked?.bytes ?? []
            contents.buffers.append(whole)
            return contents.append(
                batch, contents.buffers.count - 1, whole.span, 0..<whole.count, before: end, count,
                options)
        } catch {
            contents.lose(
                batch.count, of: batch, "compressed with \(batch.codec.name): \(error.description)")
            contents.next = batch.lastOffset + 1
            return true
        }
    }
}

extension FetchedRecords.Contents {
    /// Adds what follows.
    mutating func append(_ more: FetchedRecords.Contents) {
        if buffers.isEmpty {
            self = more
            return
        }
        let first = buffers.count
        entries += more.entries.map { entry in
            .init(
                offset: entry.offset, time: entry.time, buffer: Int32(first) + entry.buffer,
                epoch: entry.epoch, value: entry.value)
        }
        buffers += more.buffers
        losses += more.losses
        if more.next > next { epoch = more.epoch }
        (next, isWhole) = (more.next, more.isWhole)
    }

    /// Adds the messages of a batch. False if the page ends within it.
    fileprivate mutating func append(
        _ batch: RecordBatch, _ buffer: Int, _ bytes: Span<UInt8>, _ range: Range<Int>,
        before end: Int64?, _ count: Int, _ options: ReadOptions
    ) -> Bool {
        var place = range.lowerBound
        var taken: Int32 = 0
        let isAppendTime = batch.attributes & 8 != 0
        let epoch = options.tellsEpochs ? batch.leaderEpoch : -1
        do throws(RecordFault) {
            while taken < batch.count {
                let record = try Record(bytes, at: &place, before: range.upperBound)
                guard record.offsetDelta <= batch.lastOffsetDelta else {
                    throw RecordFault("a record lies beyond the end of its batch")
                }
                let offset = batch.baseOffset + Int64(record.offsetDelta)
                if let end, offset >= end { return false }
                taken += 1
                if offset < next { continue }
                if entries.count >= count { return false }
                // A deleted key of a compacted topic has no value: an empty message.
                let value = record.value ?? 0..<0
                let time =
                    isAppendTime
                    ? batch.maxTimestamp : batch.baseTimestamp &+ record.timestampDelta
                next = offset + 1
                guard value.count <= options.messageLimit else {
                    losses.append(
                        "a message has \(value.count) bytes, \(options.messageLimit) are allowed")
                    continue
                }
                entries.append(
                    .init(
                        offset: offset, time: time, buffer: Int32(buffer), epoch: epoch,
                        value: value))
            }
        } catch {
            lose(batch.count - taken, of: batch, error.description)
        }
        next = batch.lastOffset + 1
        return true
    }

    fileprivate mutating func lose(_ count: Int32, of batch: RecordBatch, _ reason: String) {
        guard count > 0 else { return }
        losses.append(
            "\(count) messages from offset \(batch.baseOffset) to \(batch.lastOffset), \(reason)")
    }
}

/// The options of a reader.
struct ReadOptions: Hashable, Sendable {
    let isolation: FetchMessage.Isolation
    /// The most bytes of a message.
    let messageLimit: Int
    /// The longest that a fetch waits at the broker for something to come.
    let longestWait: Duration
    /// True where brokers can be asked about the epochs of places.
    var tellsEpochs = false

    /// The most bytes of a batch that was compressed: few bytes can become very many.
    var unpackedLimit: Int { max(messageLimit + (1 << 20), 4 << 20) }
}
