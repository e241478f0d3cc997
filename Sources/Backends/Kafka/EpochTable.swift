import BroadcasterWire

/// What leaders say of their predecessors (KIP-320): where the messages of each former epoch end.
///
/// After an election that was not clean the new leader lacks messages that a reader has had, and others come to stand at
/// their offsets. A place that goes on beyond the end of its epoch is such a one.
struct EpochTable: Sendable {
    enum Verdict: Hashable, Sendable {
        /// The log still holds all up to the place, or nobody can tell.
        case holds
        /// The leader is to say first.
        case open
        /// The log has gone another way from here on; nil: it knows nothing of the epoch.
        case parted(at: Int64?, epoch: Int32)
    }

    private struct Question: Hashable {
        let key: PartitionKey
        let epoch: Int32
    }

    private struct End {
        let leaderEpoch: Int32
        let epoch: Int32
        let offset: Int64
    }

    private struct Asking {
        var isAsked = false
        var retry = Retry()
    }

    private var ends: [Question: End] = [:]
    private var asking: [Question: Asking] = [:]
    /// False where the brokers do not know the request.
    var isAvailable = false

    /// The most answers that are kept; without them a question is asked once more.
    private static let mostEnds = 4096

    mutating func verdict(
        on key: PartitionKey, place: Int64, epoch: Int32, _ leader: ClusterMap.Leader?
    ) -> Verdict {
        guard isAvailable, epoch >= 0, let leader, leader.epoch > epoch else { return .holds }
        let question = Question(key: key, epoch: epoch)
        guard let end = ends[question], end.leaderEpoch == leader.epoch else {
            if asking[question] == nil { asking[question] = Asking() }
            return .open
        }
        if end.offset < 0 { return .parted(at: nil, epoch: -1) }
        return end.offset < place ? .parted(at: end.offset, epoch: end.epoch) : .holds
    }

    /// The brokers that something is to be asked of.
    func leaders(_ cluster: ClusterMap) -> Set<Int32> {
        Set(
            asking.compactMap { question, asking in
                asking.isAsked
                    ? nil : cluster.leader(of: question.key.topic, question.key.index)?.broker
            })
    }

    /// The questions for one broker, one for a partition.
    mutating func takeQuestions(
        for broker: Int32, _ cluster: ClusterMap, at now: Instant, _ wake: inout WakeTime
    ) -> [EpochMessage.Wish] {
        var wishes: [EpochMessage.Wish] = []
        var busy = Set(asking.filter { $0.value.isAsked }.map(\.key.key))
        for (question, waiting) in asking.sorted(by: { $0.key.epoch < $1.key.epoch }) {
            let key = question.key
            guard !busy.contains(key), let leader = cluster.leader(of: key.topic, key.index),
                leader.broker == broker, waiting.retry.isDue(at: now, &wake)
            else { continue }
            busy.insert(key)
            asking[question]?.isAsked = true
            wishes.append(
                EpochMessage.Wish(
                    topic: key.topic, index: key.index, leaderEpoch: leader.epoch,
                    epoch: question.epoch))
        }
        return wishes.sorted { ($0.topic, $0.index) < ($1.topic, $1.index) }
    }

    /// Takes an answer. True if the metadata is out of date.
    mutating func take(
        _ answer: EpochMessage, asked wishes: [EpochMessage.Wish], at now: Instant
    ) -> Bool {
        var isStale = false
        for wish in wishes {
            let key = PartitionKey(topic: wish.topic, index: wish.index)
            let question = Question(key: key, epoch: wish.epoch)
            guard
                let found = answer.partitions.first(where: {
                    $0.topic == key.topic && $0.index == key.index
                })
            else {
                wait(question, at: now)
                continue
            }
            switch found.error.code {
            case 0: note(question, wish, epoch: found.epoch, end: found.end)
            case 29, 31, 35, 43:
                // Not to be told: before Kafka 2.3 it takes rights on the cluster. Then nobody can tell.
                note(question, wish, epoch: wish.epoch, end: .max)
            default:
                wait(question, at: now)
                if found.error.isStaleMetadata { isStale = true }
            }
        }
        return isStale
    }

    private mutating func note(
        _ question: Question, _ wish: EpochMessage.Wish, epoch: Int32, end: Int64
    ) {
        asking[question] = nil
        if ends.count >= EpochTable.mostEnds { ends = [:] }
        ends[question] = End(leaderEpoch: wish.leaderEpoch, epoch: epoch, offset: end)
    }

    private mutating func wait(_ question: Question, at now: Instant) {
        asking[question]?.isAsked = false
        asking[question]?.retry.wait(at: now)
    }

    /// The questions of a connection that is gone are to be asked anew.
    mutating func lost(_ wishes: [EpochMessage.Wish]) {
        for wish in wishes {
            let key = PartitionKey(topic: wish.topic, index: wish.index)
            asking[Question(key: key, epoch: wish.epoch)]?.isAsked = false
        }
    }

    /// Forgets a topic that nobody reads any more.
    mutating func forget(_ topic: String) {
        asking = asking.filter { $0.key.key.topic != topic }
        ends = ends.filter { $0.key.key.topic != topic }
    }
}
