package import BroadcasterWire

/// The cluster as its metadata tells: brokers with their addresses, and the leader of each partition.
package struct ClusterMap: Sendable {
    package struct Leader: Hashable, Sendable {
        package let broker: Int32
        /// Rises with each election; −1 where the broker does not say.
        package let epoch: Int32
    }

    package private(set) var cluster: String?
    package private(set) var brokers: [Int32: Endpoint] = [:]
    private var topics: [String: [Int32: Leader?]] = [:]
    /// Partitions whose epoch has fallen in the last metadata: an old view of a broker that lags, once; a topic that was
    /// made anew, twice.
    private var fallen: [String: Set<Int32>] = [:]

    package init() {}

    /// - Parameters:
    ///   - brokers: those that an earlier session knew.
    init(cluster: String?, brokers: [Int32: Endpoint]) {
        self.cluster = cluster
        self.brokers = brokers
    }

    /// Takes in an answer. The result is the topics whose partitions lead elsewhere now, or have begun anew.
    @discardableResult
    package mutating func merge(_ metadata: MetadataMessage) -> [String] {
        cluster = metadata.cluster
        if !metadata.brokers.isEmpty {
            brokers = [:]
            for broker in metadata.brokers {
                guard let port = UInt16(exactly: broker.port), port > 0, !broker.host.isEmpty else {
                    continue
                }
                brokers[broker.id] = .tcp(host: broker.host, port: port)
            }
        }
        return metadata.topics.compactMap { merge($0) ? $0.name : nil }
    }

    private mutating func merge(_ topic: MetadataMessage.Topic) -> Bool {
        guard topic.error.isNone || topic.error == .leaderNotAvailable else {
            // Unknown, or not to be seen: what was known of it holds no more.
            return topics.removeValue(forKey: topic.name) != nil
        }
        if topic.partitions.isEmpty { return false }
        let known = topics[topic.name] ?? [:]
        var leaders: [Int32: Leader?] = [:]
        var falling: Set<Int32> = []
        for partition in topic.partitions where partition.index >= 0 {
            let leader =
                partition.leader >= 0
                ? Leader(broker: partition.leader, epoch: partition.epoch) : nil
            let old = known[partition.index] ?? nil
            if let old, let leader, leader.epoch < old.epoch,
                fallen[topic.name]?.contains(partition.index) != true
            {
                falling.insert(partition.index)
                leaders[partition.index] = old
            } else {
                leaders[partition.index] = leader
            }
        }
        fallen[topic.name] = falling.isEmpty ? nil : falling
        topics[topic.name] = leaders
        return leaders != known
    }

    /// Forgets a topic that nobody reads or writes any more.
    mutating func forget(_ topic: String) {
        topics[topic] = nil
        fallen[topic] = nil
    }

    func knows(_ topic: String) -> Bool {
        topics[topic] != nil
    }

    /// The numbers of a topic's partitions, in order.
    package func partitions(of topic: String) -> [Int32] {
        (topics[topic] ?? [:]).keys.sorted()
    }

    /// The number of a topic's partitions, from the first to the last that is named.
    func partitionCount(of topic: String) -> Int {
        topics[topic].flatMap { $0.keys.max() }.map { Int($0) + 1 } ?? 0
    }

    package func leader(of topic: String, _ partition: Int32) -> Leader? {
        (topics[topic]?[partition] ?? nil) ?? nil
    }

    /// The broker that advertises this address.
    func broker(at endpoint: Endpoint) -> Int32? {
        brokers.first { $0.value == endpoint }?.key
    }

    /// True if each partition of the topic has a leader.
    func isLed(_ topic: String) -> Bool {
        topics[topic].map { $0.values.allSatisfy { $0 != nil } } ?? false
    }
}
