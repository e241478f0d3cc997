import BroadcasterWire

/// A session with itself: what is published comes back to the topics that want it, at once.
struct MemorySession: Session {
    private var channels = TopicIndex()
    private var patterns: [(topic: Topic, pattern: GlobPattern)] = []
    /// nil where messages are not kept: then they are pushed.
    private var history: MemoryHistory?

    init(_ history: MemoryHistory? = nil) {
        self.history = history
    }

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        output.append(
            .ready(ServerIdentity(product: "memory", version: "none", dialect: "in process")))
    }

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {}

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {}

    var deadline: Instant? { nil }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        switch command {
        case .subscribe(let topics):
            for topic in topics {
                add(topic)
                let position = topic.name.isPattern ? nil : history?.tail(of: topic.name.text)
                output.append(.subscribed(topic: topic.id, resumedAt: position))
            }
        case .unsubscribe(let topics):
            for topic in topics {
                remove(topic)
                output.append(.unsubscribed(topic: topic.id))
            }
        case .publish(let publications):
            for publication in publications { publish(publication, at: now, into: &output) }
        case .read(let requests):
            for request in requests { read(request, at: now, into: &output) }
        case .ping: output.append(.answered)
        case .close: break
        }
    }

    private mutating func add(_ topic: Topic) {
        switch topic.name {
        case .channel, .binaryChannel: channels.insert(topic)
        case .pattern(let pattern):
            patterns.append((topic, GlobPattern(pattern)))
        }
    }

    private mutating func remove(_ topic: Topic) {
        switch topic.name {
        case .channel, .binaryChannel: channels.remove(topic.name)
        case .pattern: patterns.removeAll { $0.topic == topic }
        }
    }

    private func read(
        _ request: HistoryRequest, at now: Instant, into output: inout SessionOutput
    ) {
        let name = request.channel.name
        let origin = channels.find(name.text)?.origin ?? Origin(name)
        guard let page = history?.answer(request, origin, at: now) else { return }
        output.append(.page(page))
    }

    private mutating func publish(
        _ publication: Publication, at now: Instant, into output: inout SessionOutput
    ) {
        let position = history?.append(
            publication.payload, to: publication.channel, at: now)
        // Topics, as Redis counts clients: one, however many subscribers share it in this process.
        var receivers = 0
        if let channel = channels.find(publication.channel) {
            receivers += 1
            if position != nil {
                output.append(.rang(topic: channel.topic))
            } else {
                output.append(
                    message: publication.payload, topic: channel.topic, origin: channel.origin)
            }
        }
        for (topic, pattern) in patterns where pattern.matches(publication.channel) {
            receivers += 1
            let origin = Origin(channel: publication.channel, pattern: topic.name.text)
            output.append(message: publication.payload, topic: topic.id, origin: origin)
        }
        output.append(published: publication.ticket, receivers: receivers, position: position)
    }
}
