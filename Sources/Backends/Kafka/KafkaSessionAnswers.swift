import BroadcasterWire

/// What a session makes of the brokers' answers.
extension KafkaSession {
    mutating func receive(
        _ bytes: [UInt8], _ frame: Range<Int>, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        var reader = FrameReader(bytes[frame], reading: "Kafka answer")
        guard let (request, version) = try connections[lane]?.answered(&reader) else { return }
        reader = reader.named("Kafka \(request.api.name) answer")
        switch request {
        case .apiVersions(let isAsked):
            let versions = try ApiVersions(&reader)
            if isAsked { output.append(.answered) }
            if connections[lane]?.isGreeted == false {
                settle(
                    connections[lane]?.received(versions, at: now, into: &output), lane, at: now,
                    into: &output)
            }
        case .saslHandshake:
            let message = try SASLHandshakeMessage(&reader)
            settle(
                connections[lane]?.received(message, at: now, into: &output), lane, at: now,
                into: &output)
        case .saslAuthenticate:
            let message = try SASLAuthenticateMessage(&reader, version: version)
            settle(
                try connections[lane]?.received(message, at: now, into: &output), lane, at: now,
                into: &output)
        case .metadata(let topics, _):
            let answer = try MetadataMessage(&reader, version: version)
            connections[lane]?.throttle(answer.throttle, at: now)
            take(answer, asked: topics, on: lane, at: now, into: &output)
        case .producerId:
            let answer = try ProducerIdMessage(&reader)
            connections[lane]?.throttle(answer.throttle, at: now)
            producer.take(answer, at: now)
        case .listOffsets(let wishes, let asker):
            let answer = try ListOffsetsMessage(&reader, version: version)
            connections[lane]?.throttle(answer.throttle, at: now)
            let isStale =
                switch asker {
                case .job(let job): jobs.take(answer, for: job, at: now, into: &output)
                case .watch: watches.take(answer, at: now, into: &output)
                case .producer: producer.places.take(answer, asked: wishes)
                }
            if isStale { metadata.want() }
        case .epochEnds(let wishes):
            let answer = try EpochMessage(&reader)
            connections[lane]?.throttle(answer.throttle, at: now)
            if epochs.take(answer, asked: wishes, at: now) { metadata.want() }
        case .fetch(let wishes, _, let job):
            let answer = try FetchMessage(&reader, version: version)
            connections[lane]?.throttle(answer.throttle, at: now)
            let isStale =
                if let job {
                    try jobs.take(
                        answer, asked: wishes, for: job, in: bytes, at: now, into: &output)
                } else {
                    try watches.take(answer, asked: wishes, in: bytes, at: now, into: &output)
                }
            if isStale { metadata.want() }
        case .produce(let batches, _, _):
            let answer = try ProduceMessage(&reader)
            connections[lane]?.throttle(answer.throttle, at: now)
            if producer.take(answer, for: batches, cluster, at: now, into: &output) {
                metadata.want()
            }
        }
    }

    mutating func take(
        _ answer: MetadataMessage, asked topics: [String], on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) {
        if !topics.isEmpty, topics.allSatisfy(cluster.knows) { unconfirmed = [] }
        cluster.merge(answer)
        var isSettled = true
        for topic in answer.topics {
            if !take(topic, into: &output) { isSettled = false }
        }
        metadata.answered(isSettled: isSettled)
        if !isSettled { metadata.want() }
        for lane in connections.follow(cluster) {
            guard let connection = connections.remove(lane) else { continue }
            output.finish(lane)
            let words = "the broker has another address now"
            if drop(connection, words, at: now, into: &output) == .ended {
                return end(Rejection(kind: .temporary, message: words), into: &output)
            }
        }
        watches.follow(cluster, into: &output)
        if phase == .greeting { greet(lane, at: now, into: &output) }
    }

    /// False if the topic is to be asked for again.
    mutating func take(
        _ topic: MetadataMessage.Topic, into output: inout SessionOutput
    ) -> Bool {
        switch topic.error {
        case .none where cluster.isLed(topic.name): return true
        case .invalidTopic, .topicAuthorizationFailed:
            let rejection = Rejection(
                kind: topic.error == .invalidTopic ? .permanent : .permission,
                message: "topic \(URLOptions.show(topic.name)): \(topic.error)")
            watches.refused(topic.name, rejection, into: &output)
            jobs.refuse(topic.name, rejection, into: &output)
            producer.refuse(topic.name, rejection, into: &output)
            return true
        default:
            let reason =
                topic.error.isNone
                ? "a partition has no leader" : "\(topic.error)"
            watches[topic.name]?.postpone(into: &output)
            if topic.error == .unknownTopic { jobs.isAbsent(topic.name, into: &output) }
            producer.waits(topic.name, because: "topic \(URLOptions.show(topic.name)): \(reason)")
            return false
        }
    }
}
