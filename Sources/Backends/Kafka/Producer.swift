import BroadcasterWire

/// The messages that are being published: those that wait, and one batch on its way to each partition, so that the
/// order stays.
struct Producer: Sendable {
    private enum Identity: Hashable, Sendable {
        case unknown
        case asked
        case known(ProducerIdentity)
        /// The broker gives none: what may have been written is not sent again.
        case absent
    }

    private let options: ProduceOptions
    private var queues: [String: ProduceQueue] = [:]
    private var identity: Identity
    private var identityRetryAt: Instant?
    private var identityAttempts = 0
    private var waiting = (count: 0, bytes: 0)
    var places = PublishPlaces()
    /// The next number of the producer's messages for each partition.
    private var sequences: [PartitionKey: Int32] = [:]

    /// The most messages, and bytes of them, that wait here for those before them; the others wait in the core.
    private static let longest = (count: 16_384, bytes: 2 << 20)

    init(_ options: ProduceOptions) {
        self.options = options
        identity = options.isIdempotent ? .unknown : .absent
    }

    var intake: PublishIntake {
        let isFull =
            waiting.count >= Producer.longest.count || waiting.bytes >= Producer.longest.bytes
        return isFull ? .none : .batch(Producer.longest.count - waiting.count)
    }

    /// The topics that have messages on their way.
    var topics: [String] { Array(queues.keys) }

    func contains(_ topic: String) -> Bool {
        queues[topic] != nil
    }

    var isIdle: Bool { queues.isEmpty }

    mutating func add(_ publications: [Publication]) {
        for publication in publications {
            waiting.count += 1
            waiting.bytes += publication.payload.byteCount
            queues[publication.channel, default: ProduceQueue(publication.channel)]
                .append(publication)
        }
    }

    // MARK: The producer's identity

    /// True if a broker is to be asked for one now.
    mutating func wantsIdentity(at now: Instant, _ wake: inout WakeTime) -> Bool {
        guard identity == .unknown, !queues.isEmpty else { return false }
        guard let due = identityRetryAt else { return true }
        return wake.isReached(due, at: now)
    }

    mutating func askedForIdentity() {
        identity = .asked
    }

    /// The broker has no such request.
    mutating func hasNoIdentity() {
        identity = .absent
    }

    mutating func take(_ answer: ProducerIdMessage, at now: Instant) {
        switch answer.error.code {
        case 0 where answer.identity.id >= 0:
            identity = .known(answer.identity)
            sequences = [:]
        case let code where [14, 15, 16, 51].contains(code) && identityAttempts < 5:
            identity = .unknown
            identityAttempts += 1
            identityRetryAt = now + .milliseconds(100)
        default:
            // Not allowed, or not there: Tansu 0.6 answers −1.
            identity = .absent
        }
    }

    mutating func lostIdentityRequest() {
        if identity == .asked { identity = .unknown }
    }

    // MARK: Sending

    /// The batches that are to be sent now, by the broker that leads their partitions. Those that no broker takes wait.
    ///
    /// - Parameters:
    ///   - time: milliseconds since 1970.
    ///   - isUsable: false for a broker to which nothing can be sent now.
    mutating func takeBatches(
        _ cluster: ClusterMap, time: Int64, at now: Instant, _ wake: inout WakeTime,
        isUsable: (Int32) -> Bool
    ) -> [Int32: [ProduceBatch]] {
        let producer: ProducerIdentity
        switch identity {
        case .known(let known): producer = known
        case .absent: producer = .none
        case .unknown, .asked: return [:]
        }
        var batches: [Int32: [ProduceBatch]] = [:]
        for name in queues.keys.sorted() {
            guard let partition = queues[name]?.partition(options.partition, cluster),
                let leader = cluster.leader(of: name, partition), isUsable(leader.broker),
                places.isReady(name, except: ownPartition, cluster, at: now, &wake),
                let batch = takeBatch(name, partition, producer, time: time, at: now, &wake)
            else { continue }
            batches[leader.broker, default: []].append(batch)
        }
        recount()
        return batches
    }

    private var ownPartition: Int32? {
        if case .fixed(let number) = options.partition { number } else { nil }
    }

    /// The brokers that are asked for the positions of receipts.
    func placeLeaders(_ cluster: ClusterMap, at now: Instant) -> Set<Int32> {
        if identity == .unknown || identity == .asked { return [] }
        var brokers: Set<Int32> = []
        for (name, queue) in queues where queue.hasNew {
            for index in places.due(name, except: ownPartition, cluster, at: now) {
                if let leader = cluster.leader(of: name, index) { brokers.insert(leader.broker) }
            }
        }
        return brokers
    }

    /// What to ask of each broker, for the positions of receipts.
    mutating func takePlaceQuestions(
        _ cluster: ClusterMap, at now: Instant, isUsable: (Int32) -> Bool
    ) -> [Int32: [ListOffsetsMessage.Wish]] {
        if identity == .unknown || identity == .asked { return [:] }
        var questions: [Int32: [ListOffsetsMessage.Wish]] = [:]
        for name in queues.keys.sorted() where queues[name]?.hasNew == true {
            let more = places.takeQuestions(
                name, except: ownPartition, cluster, at: now, isUsable: isUsable)
            questions.merge(more) { $0 + $1 }
        }
        return questions
    }

    private mutating func takeBatch(
        _ topic: String, _ partition: Int32, _ producer: ProducerIdentity, time: Int64,
        at now: Instant, _ wake: inout WakeTime
    ) -> ProduceBatch? {
        let key = PartitionKey(topic: topic, index: partition)
        let sequence = sequences[key] ?? 0
        var count = 0
        let batch = queues[topic]?.takeBatch(to: partition, at: now, &wake) { publications in
            count = publications.count
            return ProduceBatch(
                of: publications, to: topic, partition, time: time, producer, sequence: sequence)
        }
        // After 2³¹ − 1 comes 0 (`DefaultRecordBatch.incrementSequence`).
        if count > 0 {
            sequences[key] = Int32(truncatingIfNeeded: (Int(sequence) + count) & Int(Int32.max))
        }
        return batch
    }

    /// The brokers that messages wait for.
    func leaders(_ cluster: ClusterMap) -> Set<Int32> {
        if identity == .unknown || identity == .asked { return [] }
        return Set(
            queues.compactMap { name, queue in
                queue.partition(options.partition, cluster).flatMap {
                    cluster.leader(of: name, $0)?.broker
                }
            })
    }

    /// Notes why messages for a broker's partitions wait.
    mutating func waits(forBroker broker: Int32, _ cluster: ClusterMap, because reason: String) {
        for (name, queue) in queues {
            guard let partition = queue.partition(options.partition, cluster),
                cluster.leader(of: name, partition)?.broker == broker
            else { continue }
            queues[name]?.reason = reason
        }
    }

    var timeout: Duration { options.timeout }

    private mutating func recount() {
        waiting = queues.values.reduce(into: (0, 0)) { sum, queue in
            sum.0 += queue.waitingCount
            sum.1 += queue.waitingBytes
        }
    }

    // MARK: Answers

    /// Takes an answer. True if the metadata is out of date.
    mutating func take(
        _ answer: ProduceMessage, for batches: [ProduceBatch], _ cluster: ClusterMap,
        at now: Instant, into output: inout SessionOutput
    ) -> Bool {
        var isStale = false
        for batch in batches {
            guard
                let partition = answer.partitions.first(where: {
                    $0.topic == batch.topic && $0.index == batch.partition
                })
            else {
                queues[batch.topic]?.isUncertain(
                    batch.partition, "the broker's answer does not name the partition", at: now,
                    into: &output)
                continue
            }
            if partition.error.isStaleMetadata { isStale = true }
            let place = places.place(of: batch.topic, batch.partition, cluster)
            let aftermath = queues[batch.topic]?.take(
                partition, place, at: now, into: &output)
            settle(aftermath ?? .none, batch.topic, batch.partition)
        }
        leaveIdle()
        return isStale
    }

    /// The connection that these were sent on is gone.
    mutating func lost(
        _ batches: [ProduceBatch], _ reason: String, at now: Instant,
        into output: inout SessionOutput
    ) {
        for batch in batches {
            queues[batch.topic]?.isUncertain(batch.partition, reason, at: now, into: &output)
        }
        leaveIdle()
    }

    /// Refuses all that waits for a topic and was not sent.
    mutating func refuse(
        _ topic: String, _ rejection: Rejection, into output: inout SessionOutput
    ) {
        queues[topic]?.refuse(rejection, into: &output)
        leaveIdle()
        recount()
    }

    /// Notes why messages for a topic wait.
    mutating func waits(_ topic: String, because reason: String) {
        places.forget(topic)
        queues[topic]?.reason = reason
    }

    /// Answers for the messages whose time is over, before the core does: it cannot know which were not sent.
    mutating func expire(
        at now: Instant, _ wake: inout WakeTime, into output: inout SessionOutput
    ) {
        if queues.isEmpty { return }
        for name in Array(queues.keys) {
            let aftermath =
                queues[name]?.expire(at: now, margin: options.margin, &wake, into: &output) ?? [:]
            for (partition, outcome) in aftermath { settle(outcome, name, partition) }
        }
        leaveIdle()
        recount()
    }

    private mutating func settle(
        _ aftermath: ProduceQueue.Aftermath, _ topic: String, _ partition: Int32
    ) {
        switch aftermath {
        case .none: break
        case .unused(let sequence):
            sequences[PartitionKey(topic: topic, index: partition)] = max(sequence, 0)
        case .identityLost:
            if case .known = identity { identity = .unknown }
        }
    }

    /// The most partitions whose numbers are kept; a new identity begins without any.
    private static let mostSequences = 65_536

    private mutating func leaveIdle() {
        for (name, queue) in queues where queue.isIdle { queues[name] = nil }
        if queues.isEmpty, sequences.count > Producer.mostSequences, case .known = identity {
            identity = .unknown
        }
    }
}

/// The options of a producer.
struct ProduceOptions: Hashable, Sendable {
    let partition: KafkaURL.PartitionChoice
    let acks: Int16
    let isIdempotent: Bool
    /// The longest wait of a publisher.
    let patience: Duration

    /// The longest time that a broker waits for replicas: an answer is to come before the publisher has left.
    var timeout: Duration { patience * 0.8 }

    /// The time before the publisher's deadline at which what was not sent is refused.
    var margin: Duration { min(patience / 10, .milliseconds(500)) }
}
