import BroadcasterWire

/// A request that is to be sent, or has been and awaits its answer.
enum KafkaRequest: Sendable {
    /// What an offset is asked for.
    enum Asker: Hashable, Sendable {
        case watch
        /// A request to read.
        case job(UInt64)
        case producer
    }

    /// - isAsked: for a `.ping` of the core's; else a sign of life, or the beginning of a connection.
    case apiVersions(isAsked: Bool)
    case saslHandshake(mechanism: String)
    case saslAuthenticate([UInt8])
    case metadata(topics: [String], createsTopics: Bool)
    case producerId
    case listOffsets([ListOffsetsMessage.Wish], for: Asker)
    case epochEnds([EpochMessage.Wish])
    /// - job: the request to read that this is for; nil for what watches the ends of topics.
    case fetch([FetchMessage.Wish], FetchMessage.Limits, job: UInt64?)
    case produce([ProduceBatch], acks: Int16, timeout: Int32)

    var api: KafkaAPI {
        switch self {
        case .apiVersions: .apiVersions
        case .saslHandshake: .saslHandshake
        case .saslAuthenticate: .saslAuthenticate
        case .metadata: .metadata
        case .producerId: .initProducerId
        case .listOffsets: .listOffsets
        case .epochEnds: .offsetForLeaderEpoch
        case .fetch: .fetch
        case .produce: .produce
        }
    }

    /// Writes the request's frame: its size, the header in version 1 and the body.
    func append(
        version: Int16, correlation: Int32, client: String, to bytes: inout [UInt8]
    ) {
        let start = bytes.count
        bytes.appendInt32(0)
        bytes.appendInt16(api.rawValue)
        bytes.appendInt16(version)
        bytes.appendInt32(correlation)
        bytes.appendString(client)
        appendBody(version: version, to: &bytes)
        bytes.overwriteInt32(Int32(clamping: bytes.count - start - 4), at: start)
    }

    private func appendBody(version: Int16, to bytes: inout [UInt8]) {
        switch self {
        case .apiVersions: break
        case .saslHandshake(let mechanism):
            SASLHandshakeMessage.append(mechanism: mechanism, to: &bytes)
        case .saslAuthenticate(let data): SASLAuthenticateMessage.append(data, to: &bytes)
        case .metadata(let topics, let creates):
            MetadataMessage.append(topics: topics, createsTopics: creates, to: &bytes)
        case .producerId: ProducerIdMessage.append(to: &bytes)
        case .listOffsets(let wishes, _):
            ListOffsetsMessage.append(wishes, version: version, to: &bytes)
        case .epochEnds(let wishes):
            EpochMessage.append(wishes, version: version, to: &bytes)
        case .fetch(let wishes, let limits, _):
            FetchMessage.append(wishes, limits, version: version, to: &bytes)
        case .produce(let batches, let acks, let timeout):
            ProduceMessage.append(acks: acks, timeout: timeout, batches: batches, to: &bytes)
        }
    }
}
