import BroadcasterWire

/// The topics of this process that a routing key leads to. One queue gets one copy of a message, however many of its
/// bindings match, so the copies for several topics are made here.
struct TopicRouter: Sendable {
    struct Target: Sendable {
        let topic: Int
        let origin: Origin
    }

    private var channels = TopicIndex()
    private var patterns: [(topic: Topic, pattern: TopicPattern)] = []

    /// Changes with each topic that comes or goes.
    private(set) var version = 0

    mutating func insert(_ topic: Topic) {
        version += 1
        if case .pattern(let text) = topic.name {
            patterns.append((topic, TopicPattern(text)))
        } else {
            channels.insert(topic)
        }
    }

    mutating func remove(_ topic: Topic) {
        version += 1
        if topic.name.isPattern {
            patterns.removeAll { $0.topic.id == topic.id }
        } else {
            channels.remove(topic.name)
        }
    }

    /// The topics that want what is published with this key.
    func targets(of key: [UInt8]) -> [Target] {
        var targets: [Target] = []
        if let entry = channels.find(key.span, key.indices) {
            targets.append(Target(topic: entry.topic, origin: entry.origin))
        }
        for (topic, pattern) in patterns where pattern.matches(key) {
            let origin = Origin(.channel(bytes: key), pattern: topic.name.text)
            targets.append(Target(topic: topic.id, origin: origin))
        }
        return targets
    }
}
