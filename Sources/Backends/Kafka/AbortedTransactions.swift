/// The transactions that were aborted, as a fetch names them: what their producers wrote is no message, where only what was
/// committed is heard.
struct AbortedTransactions {
    /// Those whose first record is still to come, the next one last.
    private var upcoming: [FetchMessage.Aborted]
    private var producers: Set<Int64> = []

    /// - Parameter aborted: by their first offsets, the lowest last.
    init(_ aborted: [FetchMessage.Aborted]) {
        upcoming = aborted
    }

    /// True if the batch is one of them. Takes batches in the order of their offsets.
    mutating func covers(_ batch: RecordBatch, _ bytes: Span<UInt8>, at start: Int) -> Bool {
        while let next = upcoming.last, next.firstOffset <= batch.lastOffset {
            producers.insert(next.producer)
            upcoming.removeLast()
        }
        if batch.isOldFormat { return false }
        if batch.isControl {
            let body = start + RecordBatch.headerSize..<start + batch.size
            // A marker only ends one: that none was named is normal.
            if isAbort(bytes, body) { producers.remove(batch.producer) }
            return true
        }
        return batch.isTransactional && producers.contains(batch.producer)
    }

    /// The key of a control record: its version, and 0 for an abort (`ControlRecordType`).
    private func isAbort(_ bytes: Span<UInt8>, _ body: Range<Int>) -> Bool {
        var place = body.lowerBound
        guard let record = try? Record(bytes, at: &place, before: body.upperBound),
            let key = record.key, key.count >= 4
        else { return false }
        return bytes[key.lowerBound + 2] == 0 && bytes[key.lowerBound + 3] == 0
    }
}
