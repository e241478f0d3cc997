import BroadcasterWire

/// Messages that are sent together to one partition, and resent unchanged: by its producer and sequence a broker
/// recognises what it has had.
struct ProduceBatch: Sendable {
    let topic: String
    let partition: Int32
    let publications: [Publication]
    /// The batch as it goes out.
    let records: [UInt8]
    let producer: ProducerIdentity
    let sequence: Int32
    /// The times that it was sent.
    var attempts = 0
    var isOnItsWay = false
    /// An answer was lost, or left open whether the broker has it.
    var mayBeWritten = false
    /// The moment before which it is not sent again.
    var retryAt: Instant?
    var lastReason = ""

    init(
        of publications: [Publication], to topic: String, _ partition: Int32, time: Int64,
        _ producer: ProducerIdentity, sequence: Int32
    ) {
        self.topic = topic
        self.partition = partition
        self.publications = publications
        self.producer = producer
        self.sequence = sequence
        records = RecordBatchWriter.batch(
            of: publications.map(\.payload), time: time, producer: producer,
            sequence: producer == .none ? -1 : sequence)
    }

    var isRecognised: Bool { producer != .none }

    /// The moment at which the core gives up the last of them.
    var deadline: Instant? { publications.last?.deadline }
}

/// The meaning of a broker's answer for a batch.
enum ProduceVerdict: Hashable, Sendable {
    case accepted
    /// Certainly not written: sent again.
    case again
    /// The broker, or another one, may have it.
    case unknown
    /// Certainly not written, and never will be.
    case refused(Rejection.Kind)
    case tooLarge
    /// The broker does not know the producer's sequence.
    case sequenceLost

    init(_ error: KafkaError) {
        switch error.code {
        case 0, 46: self = .accepted
        case 3, 5, 8, 9, 19, 72, 78, 89, 100, 103: self = .again
        case 10, 18: self = .tooLarge
        case 29, 30, 31, 53: self = .refused(.permission)
        case 45, 47, 59, 90: self = .sequenceLost
        // NOT_LEADER may come after the append, when the leader changes while it waits for its followers
        // (Partition.checkEnoughReplicasReachOffset); so do 7, 20 and 56.
        case -1, 6, 7, 20, 56, 74, 75: self = .unknown
        default: self = .refused(.permanent)
        }
    }
}
