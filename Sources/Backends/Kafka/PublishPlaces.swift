import BroadcasterWire

/// The ends of the partitions beside the one that a message goes to, for the position in its receipt: who goes on behind
/// the message there is to hear what comes in the others.
///
/// They are asked for before a topic's first messages, which wait for them for a moment, and then once a second at most
/// while messages are published. An end that is older than the message makes its reader hear what came between them once
/// more; none is ever passed over.
struct PublishPlaces: Sendable {
    private struct Topic: Sendable {
        var ends: [Int32: Int64] = [:]
        var underWay: Set<Int32> = []
        var asked: [Int32: Instant] = [:]
        /// The end of the wait of the topic's first messages.
        let patience: Instant
    }

    private var topics: [String: Topic] = [:]

    private static let age: Duration = .seconds(1)
    /// The longest that a topic's first messages wait for a broker that is slow, or away.
    private static let patience: Duration = .milliseconds(500)
    /// The most topics that are kept.
    private static let mostTopics = 1024

    /// The partitions whose ends are to be asked for, of a topic that messages wait for.
    ///
    /// - Parameter own: the partition of all its messages; nil where they go to any.
    func due(_ name: String, except own: Int32?, _ cluster: ClusterMap, at now: Instant) -> [Int32]
    {
        let partitions = cluster.partitions(of: name)
        guard partitions.count > 1, partitions.count <= PlaceVector.mostPartitions else {
            return []
        }
        guard let topic = topics[name] else { return partitions.filter { $0 != own } }
        return partitions.filter { index in
            index != own && !topic.underWay.contains(index)
                && topic.asked[index].map { now >= $0 + PublishPlaces.age } ?? true
        }
    }

    /// The questions to the brokers that can be asked now.
    mutating func takeQuestions(
        _ name: String, except own: Int32?, _ cluster: ClusterMap, at now: Instant,
        isUsable: (Int32) -> Bool
    ) -> [Int32: [ListOffsetsMessage.Wish]] {
        var questions: [Int32: [ListOffsetsMessage.Wish]] = [:]
        let due = due(name, except: own, cluster, at: now)
        if due.isEmpty { return questions }
        if topics[name] == nil {
            if topics.count >= PublishPlaces.mostTopics { topics = [:] }
            topics[name] = Topic(patience: now + PublishPlaces.patience)
        }
        for index in due {
            guard let leader = cluster.leader(of: name, index), isUsable(leader.broker) else {
                continue
            }
            topics[name]?.underWay.insert(index)
            topics[name]?.asked[index] = now
            questions[leader.broker, default: []].append(
                ListOffsetsMessage.Wish(
                    topic: name, index: index, leaderEpoch: leader.epoch, question: .latest))
        }
        return questions
    }

    /// False as long as a topic's first messages wait.
    func isReady(
        _ name: String, except own: Int32?, _ cluster: ClusterMap, at now: Instant,
        _ wake: inout WakeTime
    ) -> Bool {
        guard let topic = topics[name] else { return true }
        let isComplete = cluster.partitions(of: name).allSatisfy {
            $0 == own || topic.ends[$0] != nil
        }
        return isComplete || wake.isReached(topic.patience, at: now)
    }

    /// Takes an answer. True if the metadata is out of date.
    mutating func take(
        _ answer: ListOffsetsMessage, asked wishes: [ListOffsetsMessage.Wish]
    ) -> Bool {
        for wish in wishes { topics[wish.topic]?.underWay.remove(wish.index) }
        var isStale = false
        for found in answer.partitions where topics[found.topic] != nil {
            if found.error.isNone, found.offset >= 0 {
                topics[found.topic]?.ends[found.index] = found.offset
            } else if found.error.isStaleMetadata {
                isStale = true
            }
        }
        return isStale
    }

    /// Questions that will not be answered.
    mutating func lost(_ wishes: [ListOffsetsMessage.Wish]) {
        for wish in wishes {
            topics[wish.topic]?.underWay.remove(wish.index)
            topics[wish.topic]?.asked[wish.index] = nil
        }
    }

    /// Forgets a topic that is there no more.
    mutating func forget(_ name: String) {
        topics[name] = nil
    }

    /// The place behind the first message of a batch, but for its partition; nil where an end is not known.
    func place(of name: String, _ partition: Int32, _ cluster: ClusterMap) -> PlaceVector? {
        let partitions = cluster.partitions(of: name)
        guard let most = partitions.last, most < PlaceVector.mostPartitions, partition <= most
        else { return nil }
        var place = PlaceVector([])
        for index in partitions {
            if index == partition {
                place[Int(index)] = 0
            } else if let end = topics[name]?.ends[index] {
                place[Int(index)] = end
            } else {
                return nil
            }
        }
        return place
    }
}
