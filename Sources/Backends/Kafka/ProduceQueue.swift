import BroadcasterWire

/// The messages for one topic that are not answered: one batch for a partition, and those that wait behind it.
struct ProduceQueue: Sendable {
    /// The consequence of an answer for the producer's sequence.
    enum Aftermath: Hashable, Sendable {
        case none
        /// The batch was not written and never will be: its numbers are free again.
        case unused(sequence: Int32)
        /// The broker no longer knows the producer, or its numbers have a hole.
        case identityLost
    }

    let topic: String
    /// Messages that go first: those of a batch that was too large, or whose producer was forgotten.
    private var groups: [[Publication]] = []
    private var waiting = Queue<Publication>()
    private(set) var waitingBytes = 0
    private var open: [Int32: ProduceBatch] = [:]
    private var turn = 0
    /// The reason for which the messages wait.
    var reason = "its leader is not known yet"

    /// The most bytes of a batch: below 1,000,012, which is `max.message.bytes` of Kafka 2.1.
    private static let longestBatch = 950_000

    init(_ topic: String) {
        self.topic = topic
    }

    var waitingCount: Int { waiting.count }
    /// True if messages wait that were never sent.
    var hasNew: Bool { !waiting.isEmpty || !groups.isEmpty }
    var isIdle: Bool { groups.isEmpty && waiting.isEmpty && open.isEmpty }

    mutating func append(_ publication: Publication) {
        waiting.append(publication)
        waitingBytes += publication.payload.byteCount
    }

    // MARK: Sending

    /// The partition of the next batch; nil where none has a leader, or each has a batch on its way.
    func partition(_ choice: KafkaURL.PartitionChoice, _ cluster: ClusterMap) -> Int32? {
        if let again = open.values.first(where: { !$0.isOnItsWay }) { return again.partition }
        if waiting.isEmpty, groups.isEmpty { return nil }
        switch choice {
        case .fixed(let number): return open[number] == nil ? number : nil
        case .spread:
            let free = cluster.partitions(of: topic).filter {
                open[$0] == nil && cluster.leader(of: topic, $0) != nil
            }
            return free.isEmpty ? nil : free[turn % free.count]
        }
    }

    /// The batch to send now: one that is sent again, or a new one.
    mutating func takeBatch(
        to partition: Int32, at now: Instant, _ wake: inout WakeTime,
        making make: ([Publication]) -> ProduceBatch
    ) -> ProduceBatch? {
        if let batch = open[partition] {
            if batch.isOnItsWay { return nil }
            if let due = batch.retryAt, !wake.isReached(due, at: now) { return nil }
        } else {
            let publications = takePublications()
            if publications.isEmpty { return nil }
            turn &+= 1
            open[partition] = make(publications)
        }
        open[partition]?.isOnItsWay = true
        open[partition]?.attempts += 1
        return open[partition]
    }

    private mutating func takePublications() -> [Publication] {
        if !groups.isEmpty { return groups.removeFirst() }
        var publications: [Publication] = []
        var size = 0
        while let next = waiting.first {
            size += RecordBatchWriter.recordSize(next.payload.byteCount)
            if size > ProduceQueue.longestBatch, !publications.isEmpty { break }
            publications.append(next)
            waitingBytes -= next.payload.byteCount
            _ = waiting.removeFirst()
        }
        return publications
    }

    // MARK: Answers

    /// - Parameter place: where the topic's other partitions end; nil where that is not known.
    mutating func take(
        _ answer: ProduceMessage.Partition, _ place: PlaceVector?, at now: Instant,
        into output: inout SessionOutput
    ) -> Aftermath {
        let (error, partition) = (answer.error, answer.index)
        guard let batch = open[partition], batch.isOnItsWay else { return .none }
        switch ProduceVerdict(error) {
        case .accepted:
            open[partition] = nil
            accept(batch, at: error.isNone ? answer.baseOffset : -1, place, into: &output)
        case .again: sendAgain(partition, "\(error)", at: now)
        case .unknown: return isUncertain(partition, "\(error)", at: now, into: &output)
        case .refused(let kind):
            return end(
                batch, Rejection(kind: kind, message: "\(error)"), into: &output)
        case .tooLarge where batch.publications.count > 1:
            open[partition] = nil
            let middle = batch.publications.count / 2
            groups =
                [Array(batch.publications[..<middle]), Array(batch.publications[middle...])]
                + groups
            return .unused(sequence: batch.sequence)
        case .tooLarge:
            return end(batch, Rejection(kind: .permanent, message: "\(error)"), into: &output)
        case .sequenceLost:
            open[partition] = nil
            if batch.mayBeWritten {
                giveUp(batch, "\(error)", into: &output)
            } else {
                groups.insert(batch.publications, at: 0)
            }
            return .identityLost
        }
        return .none
    }

    /// - Parameter offset: that of the first message; below zero: not told, as for a batch that the broker has had.
    private func accept(
        _ batch: ProduceBatch, at offset: Int64, _ place: PlaceVector?,
        into output: inout SessionOutput
    ) {
        guard var place, offset >= 0, offset < Int64.max - Int64(batch.publications.count) else {
            for publication in batch.publications {
                output.append(published: publication.ticket, receivers: nil)
            }
            return
        }
        var bytes = place.bytes
        for (number, publication) in batch.publications.enumerated() {
            place.pass(offset + Int64(number), -1, of: Int(batch.partition), in: &bytes)
            output.append(
                published: publication.ticket, receivers: nil, position: Position(bytes))
        }
    }

    /// The batch was sent, and its answer will not come, or leaves open whether it is written. It is sent again only
    /// where the broker can recognise it.
    @discardableResult
    mutating func isUncertain(
        _ partition: Int32, _ reason: String, at now: Instant, into output: inout SessionOutput
    ) -> Aftermath {
        guard let batch = open[partition], batch.isOnItsWay else { return .none }
        if batch.isRecognised {
            open[partition]?.mayBeWritten = true
            sendAgain(partition, reason, at: now)
        } else {
            open[partition] = nil
            giveUp(batch, reason, into: &output)
        }
        return .none
    }

    private mutating func sendAgain(_ partition: Int32, _ reason: String, at now: Instant) {
        let attempts = open[partition]?.attempts ?? 0
        open[partition]?.isOnItsWay = false
        open[partition]?.retryAt =
            now + min(.milliseconds(20) * (1 << min(attempts, 6)), .seconds(1))
        self.reason = reason
    }

    private func giveUp(
        _ batch: ProduceBatch, _ reason: String, into output: inout SessionOutput
    ) {
        for publication in batch.publications {
            output.append(.publishLost(ticket: publication.ticket, reason))
        }
    }

    private mutating func end(
        _ batch: ProduceBatch, _ rejection: Rejection, into output: inout SessionOutput
    ) -> Aftermath {
        open[batch.partition] = nil
        if batch.mayBeWritten {
            giveUp(batch, rejection.message, into: &output)
            return .identityLost
        }
        for publication in batch.publications {
            output.append(.publishRefused(ticket: publication.ticket, rejection))
        }
        return .unused(sequence: batch.sequence)
    }

    /// Refuses all that was not sent.
    mutating func refuse(_ rejection: Rejection, into output: inout SessionOutput) {
        for publication in groups.flatMap({ $0 }) {
            output.append(.publishRefused(ticket: publication.ticket, rejection))
        }
        groups = []
        while let publication = waiting.removeFirst() {
            output.append(.publishRefused(ticket: publication.ticket, rejection))
        }
        waitingBytes = 0
    }

    // MARK: Time

    /// Answers for the messages whose time is over.
    mutating func expire(
        at now: Instant, margin: Duration, _ wake: inout WakeTime,
        into output: inout SessionOutput
    ) -> [Int32: Aftermath] {
        let rejection = Rejection(
            kind: .temporary, message: "not published in time: \(reason)")
        while let first = waiting.first, let deadline = first.deadline,
            wake.isReached(deadline - margin, at: now)
        {
            waitingBytes -= first.payload.byteCount
            _ = waiting.removeFirst()
            output.append(.publishRefused(ticket: first.ticket, rejection))
        }
        while let deadline = groups.first?.last?.deadline, deadline - margin <= now {
            for publication in groups.removeFirst() {
                output.append(.publishRefused(ticket: publication.ticket, rejection))
            }
        }
        var aftermath: [Int32: Aftermath] = [:]
        for batch in open.values where !batch.isOnItsWay {
            guard let deadline = batch.deadline else { continue }
            // What may be written is sent for a while yet: an answer settles the producer's sequence.
            let end = batch.mayBeWritten ? deadline + .seconds(30) : deadline - margin
            if wake.isReached(end, at: now) {
                aftermath[batch.partition] = self.end(batch, rejection, into: &output)
            }
        }
        return aftermath
    }
}
