import BroadcasterWire

/// All topics that somebody subscribes to, and what is to be asked and fetched at their ends.
struct WatchSet: Sendable {
    private let options: ReadOptions
    /// True where brokers can be asked about the epochs of places.
    var tellsEpochs = false
    private var watches: [String: TopicWatch] = [:]
    /// The partitions to watch at each broker; nil: to be drawn up anew.
    private var plan: [Int32: [PartitionKey]]?
    /// Counts each broker's fetches: partitions are served in the order of a request, so that another one comes first each time.
    private var turns: [Int32: Int] = [:]

    init(_ options: ReadOptions) {
        self.options = options
    }

    var isEmpty: Bool { watches.isEmpty }
    var topics: [String] { Array(watches.keys) }

    func contains(_ topic: String) -> Bool {
        watches[topic] != nil
    }

    subscript(topic: String) -> TopicWatch? {
        get { watches[topic] }
        set { watches[topic] = newValue }
    }

    // MARK: Topics

    mutating func add(_ topics: [Topic]) {
        for topic in topics { watches[topic.name.text] = TopicWatch(topic) }
        plan = nil
    }

    mutating func remove(_ topic: Topic) {
        watches[topic.name.text] = nil
        plan = nil
    }

    /// Takes in the cluster's metadata.
    mutating func follow(_ cluster: ClusterMap, into output: inout SessionOutput) {
        plan = nil
        for name in Array(watches.keys) {
            let count = cluster.partitionCount(of: name)
            guard count <= PlaceVector.mostPartitions else {
                let text =
                    "the topic has \(count) partitions, \(PlaceVector.mostPartitions) are possible"
                refused(name, Rejection(kind: .permanent, message: text), into: &output)
                continue
            }
            watches[name]?.follow(partitions: count)
        }
    }

    /// Ends the subscription to a topic that the broker refuses. Later refusals are told in the log: rights come back.
    mutating func refused(
        _ name: String, _ rejection: Rejection, into output: inout SessionOutput
    ) {
        guard let watch = watches[name] else { return }
        if watch.isConfirmed {
            output.append(.warned("topic \(URLOptions.show(name)): \(rejection.message)"))
        } else {
            watches[name] = nil
            plan = nil
            output.append(.subscriptionRefused(topic: watch.topic.id, rejection))
        }
    }

    // MARK: What to ask

    private mutating func plan(_ cluster: ClusterMap) -> [Int32: [PartitionKey]] {
        if let plan { return plan }
        var made: [Int32: [PartitionKey]] = [:]
        for (name, watch) in watches.sorted(by: { $0.key < $1.key }) {
            for index in watch.partitions.indices {
                guard let leader = cluster.leader(of: name, Int32(index)) else { continue }
                made[leader.broker, default: []].append(
                    PartitionKey(topic: name, index: Int32(index)))
            }
        }
        plan = made
        return made
    }

    /// The brokers that lead partitions to watch.
    mutating func leaders(_ cluster: ClusterMap) -> [Int32] {
        plan(cluster).keys.sorted()
    }

    private func partition(_ key: PartitionKey) -> TopicWatch.Partition? {
        watches[key.topic]?.partitions[Int(key.index)]
    }

    /// The questions for the ends of one broker's partitions.
    mutating func takeQuestions(
        for broker: Int32, _ cluster: ClusterMap, at now: Instant, _ wake: inout WakeTime
    ) -> [ListOffsetsMessage.Wish] {
        var wishes: [ListOffsetsMessage.Wish] = []
        for key in plan(cluster)[broker, default: []] {
            guard let partition = partition(key), partition.step == .ask, !partition.isAsked,
                partition.retry.isDue(at: now, &wake)
            else { continue }
            watches[key.topic]?.partitions[Int(key.index)].isAsked = true
            wishes.append(
                ListOffsetsMessage.Wish(
                    topic: key.topic, index: key.index,
                    leaderEpoch: cluster.leader(of: key.topic, key.index)?.epoch ?? -1,
                    question: .latest))
        }
        return wishes
    }

    /// True if the end of one of the broker's partitions is to be asked for.
    mutating func hasQuestions(for broker: Int32, _ cluster: ClusterMap) -> Bool {
        plan(cluster)[broker, default: []].contains { key in
            partition(key).map { $0.step == .ask && !$0.isAsked } ?? false
        }
    }

    /// The partitions to fetch from one broker, in turn, and the limits.
    mutating func fetch(
        from broker: Int32, _ cluster: ClusterMap, _ epochs: inout EpochTable, at now: Instant,
        _ wake: inout WakeTime, into output: inout SessionOutput
    ) -> (wishes: [FetchMessage.Wish], limits: FetchMessage.Limits) {
        let keys = plan(cluster)[broker, default: []]
        var wishes: [FetchMessage.Wish] = []
        var isSettling = false
        let turn = turns[broker] ?? 0
        for number in keys.indices {
            let key = keys[(number + turn % keys.count) % keys.count]
            guard let partition = partition(key),
                partition.step == .watch || partition.step == .settle,
                partition.retry.isDue(at: now, &wake)
            else { continue }
            let leader = cluster.leader(of: key.topic, key.index)
            switch epochs.verdict(on: key, place: partition.place, epoch: partition.epoch, leader) {
            case .holds: break
            case .open: continue
            case .parted:
                // The page that the core reads tells it.
                watches[key.topic]?.ring(Int(key.index), into: &output)
                continue
            }
            if partition.step == .settle { isSettling = true }
            wishes.append(
                FetchMessage.Wish(
                    topic: key.topic, index: key.index, leaderEpoch: leader?.epoch ?? -1,
                    offset: partition.place))
        }
        if !wishes.isEmpty { turns[broker] = turn &+ 1 }
        let wait = isSettling ? ReadOptions.shortWait : options.longestWait
        return (wishes, options.limits(wait: wait))
    }

    // MARK: Answers

    /// Takes an answer of ListOffsets. True if the metadata is out of date.
    mutating func take(
        _ answer: ListOffsetsMessage, at now: Instant, into output: inout SessionOutput
    ) -> Bool {
        var isStale = false
        for partition in answer.partitions {
            let index = Int(partition.index)
            guard let watch = watches[partition.topic],
                watch.partitions.indices.contains(index), watch.partitions[index].isAsked
            else { continue }
            watches[partition.topic]?.partitions[index].isAsked = false
            if partition.error.isNone {
                watches[partition.topic]?.ends(
                    index, at: partition.offset, epoch: tellsEpochs ? partition.epoch : -1)
            } else if failed(partition.error, partition.topic, index, at: now, into: &output) {
                isStale = true
            }
        }
        return isStale
    }

    /// Takes what a fetch has brought. True if the metadata is out of date.
    ///
    /// - Parameter bytes: those that the records lie in.
    mutating func take(
        _ answer: FetchMessage, asked wishes: [FetchMessage.Wish], in bytes: [UInt8],
        at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) -> Bool {
        var isStale = false
        var missing = Dictionary(
            wishes.map { (PartitionKey(topic: $0.topic, index: $0.index), $0.offset) },
            uniquingKeysWith: { $1 })
        for partition in answer.partitions {
            let key = PartitionKey(topic: partition.topic, index: partition.index)
            guard let asked = missing.removeValue(forKey: key), let watch = watches[key.topic],
                watch.partitions.indices.contains(Int(key.index)),
                case let known = watch.partitions[Int(key.index)], known.place == asked,
                known.step == .watch || known.step == .settle
            else { continue }
            switch partition.error {
            case .none:
                try watches[key.topic]?.fetched(partition, in: bytes, into: &output)
            case .offsetOutOfRange:
                watches[key.topic]?.ring(Int(key.index), into: &output)
                watches[key.topic]?.confirmIfKnown(into: &output)
            default:
                if failed(partition.error, key.topic, Int(key.index), at: now, into: &output) {
                    isStale = true
                }
            }
        }
        // Tansu answers a fetch that waits for nothing with no partition at all.
        for key in missing.keys { retry(key.topic, Int(key.index), at: now) }
        return isStale
    }

    private mutating func retry(
        _ topic: String, _ index: Int, at now: Instant, atLeast least: Duration = .milliseconds(50)
    ) {
        guard watches[topic]?.partitions.indices.contains(index) == true else { return }
        watches[topic]?.partitions[index].isAsked = false
        watches[topic]?.partitions[index].retry.wait(at: now, atLeast: least)
    }

    /// True if the metadata is out of date.
    private mutating func failed(
        _ error: KafkaError, _ topic: String, _ index: Int, at now: Instant,
        into output: inout SessionOutput
    ) -> Bool {
        guard error == .topicAuthorizationFailed else {
            retry(topic, index, at: now)
            return error.isStaleMetadata
        }
        retry(topic, index, at: now, atLeast: .seconds(5))
        refused(topic, Rejection(kind: .permission, message: "\(error)"), into: &output)
        return false
    }

    /// The questions of a connection that is gone are to be asked anew.
    mutating func lost(_ wishes: [ListOffsetsMessage.Wish]) {
        for wish in wishes
        where watches[wish.topic]?.partitions.indices.contains(Int(wish.index)) == true {
            watches[wish.topic]?.partitions[Int(wish.index)].isAsked = false
        }
    }
}

extension ReadOptions {
    /// Not zero: Tansu then answers without any partition.
    static let shortWait: Duration = .milliseconds(10)

    /// The bytes of an answer, and of one partition in it. A single batch may be longer than both (KIP-74).
    func limits(wait: Duration) -> FetchMessage.Limits {
        FetchMessage.Limits(
            wait: Int32(clamping: wait.wholeMilliseconds),
            bytes: messageLimit >= 4 << 20 ? 4 << 20 : 1 << 20, partitionBytes: 1 << 20,
            isolation: isolation)
    }
}
