import BroadcasterTestSupport
import BroadcasterWire

@testable import BroadcasterKafka

/// A session with brokers whose answers the test writes, on any lane, and a clock that the test moves.
struct KafkaConversation {
    /// A request as the session has sent it.
    struct Request {
        let lane: Lane
        let api: KafkaAPI
        let version: Int16
        let correlation: Int32
        let body: [UInt8]
    }

    var session: any Session
    var output = SessionOutput()
    var now = Instant.now
    private var buffers: [Lane: ReceiveBuffer] = [:]
    private(set) var events: [String] = []
    private(set) var rejections: [Rejection] = []
    private(set) var requests: [Request] = []

    static let endpoint = Endpoint.tcp(host: "b1", port: 9092)

    init(_ url: String = "kafka://b1", ping: Duration = .seconds(10)) throws {
        let options = CommonOptions(
            connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: ping,
            maximumMessageSize: 1 << 20)
        session = try KafkaBackend(try ServerURL(url), options: options)
            .makeSession(nonce: "fyko+d2lbbFgONRv9qkxdawL", time: 1_700_000_000_000)
        open(.main)
    }

    mutating func open(_ lane: Lane, at endpoint: Endpoint = endpoint) {
        buffers[lane] = ReceiveBuffer()
        session.opened(lane, to: PeerInfo(endpoint: endpoint), at: now, into: &output)
        collect()
    }

    /// Answers the oldest request with this body.
    mutating func answer(_ body: [UInt8], to api: KafkaAPI, on lane: Lane? = nil) throws {
        let index = requests.firstIndex { $0.api == api && $0.lane == lane ?? $0.lane }
        guard let index else {
            throw ProtocolError("no \(api.name) was sent, but \(requests.map(\.api.name))")
        }
        let request = requests.remove(at: index)
        var frame: [UInt8] = []
        frame.appendInt32(Int32(body.count + 4))
        frame.appendInt32(request.correlation)
        try receive(frame + body, on: request.lane)
    }

    mutating func receive(_ bytes: [UInt8], on lane: Lane = .main) throws {
        defer { collect() }
        buffers[lane, default: ReceiveBuffer()].append(bytes)
        try session.receive(
            &buffers[lane, default: ReceiveBuffer()], on: lane, at: now, into: &output)
    }

    mutating func perform(_ command: Command) {
        session.perform(command, at: now, into: &output)
        collect()
    }

    mutating func publish(_ texts: String..., to channel: String = "t") {
        perform(
            .publish(
                texts.enumerated().map {
                    Publication(ticket: UInt64($0), channel: channel, payload: .text($1))
                }))
    }

    mutating func lose(_ lane: Lane) -> LaneLoss {
        defer { collect() }
        requests.removeAll { $0.lane == lane }
        return session.lost(lane, .lost("the server closed the connection"), at: now, into: &output)
    }

    mutating func pass(_ time: Duration) throws {
        now += time
        defer { collect() }
        try session.timeReached(now, into: &output)
    }

    mutating func takeEvents() -> [String] {
        defer { events = [] }
        return events
    }

    var apis: [KafkaAPI] { requests.map(\.api) }

    /// Opens the lanes that the session wants, wherever they lead.
    mutating func openWishes() {
        for wish in output.takeConnections() {
            open(wish.lane, at: wish.endpoint ?? KafkaConversation.endpoint)
        }
    }

    private mutating func collect() {
        output.drainBytes { lane, bytes in
            var rest = bytes[...]
            while rest.count >= 14 {
                var reader = FrameReader(rest, reading: "request")
                guard let size = try? reader.int32(), let key = try? reader.int16(),
                    let version = try? reader.int16(), let correlation = try? reader.int32(),
                    (try? reader.nullableString()) != nil, let api = KafkaAPI(rawValue: key)
                else { break }
                let end = rest.startIndex + 4 + Int(size)
                requests.append(
                    Request(
                        lane: lane, api: api, version: version, correlation: correlation,
                        body: Array(rest[reader.position..<end])))
                rest = rest[end...]
            }
            bytes = []
        }
        for event in output.takeEvents() {
            events += TranscriptLine.event(event) { _ in .channel("t") }
            if case .rejected(let rejection) = event { rejections.append(rejection) }
        }
    }
}

// MARK: Answers

extension KafkaConversation {
    static let allVersions: [(KafkaAPI, ClosedRange<Int16>)] = [
        (.produce, 0...13), (.fetch, 4...18), (.listOffsets, 1...11), (.metadata, 0...13),
        (.saslHandshake, 0...1), (.apiVersions, 0...4), (.initProducerId, 0...6),
        (.saslAuthenticate, 0...2), (.offsetForLeaderEpoch, 2...4),
    ]

    static func versions(
        _ ranges: [(KafkaAPI, ClosedRange<Int16>)] = allVersions, error: Int16 = 0
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.appendInt16(error)
        body.appendCount(ranges.count)
        for (api, range) in ranges {
            body.appendInt16(api.rawValue)
            body.appendInt16(range.lowerBound)
            body.appendInt16(range.upperBound)
        }
        return body
    }

    /// A cluster of brokers 1, 2 … at b1, b2 …, and a topic of one partition.
    static func metadata(
        brokers: [Int32] = [1], topic: String? = nil, error: Int16 = 0, leader: Int32 = 1,
        epoch: Int32 = 0, partitions: Int32 = 1
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.appendInt32(0)
        body.appendCount(brokers.count)
        for broker in brokers {
            body.appendInt32(broker)
            body.appendString("b\(broker)")
            body.appendInt32(9092)
            body.appendString(nil)
        }
        body.appendString("cluster")
        body.appendInt32(1)
        body.appendCount(topic == nil ? 0 : 1)
        guard let topic else { return body }
        body.appendInt16(error)
        body.appendString(topic)
        body.appendBool(false)
        body.appendCount(error == 0 ? Int(partitions) : 0)
        for index in 0..<(error == 0 ? partitions : 0) {
            body.appendInt16(0)
            body.appendInt32(index)
            body.appendInt32(leader)
            body.appendInt32(epoch)
            for _ in 0..<3 { body.appendCount(0) }
        }
        return body
    }

    static func handshake(_ error: Int16, _ mechanisms: [String]) -> [UInt8] {
        var body: [UInt8] = []
        body.appendInt16(error)
        body.appendCount(mechanisms.count)
        for mechanism in mechanisms { body.appendString(mechanism) }
        return body
    }

    static func authenticated(
        _ error: Int16, _ message: String, _ data: String, lifetime: Int64 = 0
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.appendInt16(error)
        body.appendString(message)
        body.appendSizedBytes(Array(data.utf8))
        body.appendInt64(lifetime)
        return body
    }

    /// - Parameters:
    ///   - epoch: the last one that the leader has, up to the one that was asked for.
    ///   - end: where it ends.
    static func epochEnd(_ epoch: Int32, at end: Int64, error: Int16 = 0) -> [UInt8] {
        var body: [UInt8] = []
        body.appendInt32(0)
        body.appendCount(1)
        body.appendString("t")
        body.appendCount(1)
        body.appendInt16(error)
        body.appendInt32(0)
        body.appendInt32(epoch)
        body.appendInt64(end)
        return body
    }

    static func produced(_ error: Int16, offset: Int64 = 0, throttle: Int32 = 0) -> [UInt8] {
        var body: [UInt8] = []
        body.appendCount(1)
        body.appendString("t")
        body.appendCount(1)
        body.appendInt32(0)
        body.appendInt16(error)
        body.appendInt64(offset)
        body.appendInt64(-1)
        body.appendInt64(0)
        body.appendInt32(throttle)
        return body
    }

    static func producerId(_ error: Int16 = 0) -> [UInt8] {
        var body: [UInt8] = []
        body.appendInt32(0)
        body.appendInt16(error)
        body.appendInt64(error == 0 ? 4711 : -1)
        body.appendInt16(0)
        return body
    }

    static func offsets(
        _ offset: Int64, error: Int16 = 0, epoch: Int32 = -1, partition: Int32 = 0
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.appendInt32(0)
        body.appendCount(1)
        body.appendString("t")
        body.appendCount(1)
        body.appendInt32(partition)
        body.appendInt16(error)
        body.appendInt64(-1)
        body.appendInt64(offset)
        body.appendInt32(epoch)
        return body
    }

    static func fetched(
        _ records: [UInt8] = [], highWatermark: Int64, error: Int16 = 0, throttle: Int32 = 0,
        aborted: [(producer: Int64, offset: Int64)] = []
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.appendInt32(throttle)
        body.appendInt16(0)
        body.appendInt32(0)
        body.appendCount(1)
        body.appendString("t")
        body.appendCount(1)
        body.appendInt32(0)
        body.appendInt16(error)
        body.appendInt64(highWatermark)
        body.appendInt64(highWatermark)
        body.appendInt64(0)
        body.appendCount(aborted.count)
        for transaction in aborted {
            body.appendInt64(transaction.producer)
            body.appendInt64(transaction.offset)
        }
        body.appendSizedBytes(records)
        return body
    }

    /// A batch that begins at an offset.
    static func batch(_ texts: String..., at offset: Int64, epoch: Int32 = -1) -> [UInt8] {
        var batch = RecordBatchWriter.batch(of: texts.map { .text($0) }, time: 1_700_000_000_000)
        batch.overwriteInt64(offset, at: 0)
        batch.overwriteInt32(epoch, at: 12)
        return batch
    }

    /// Up to the point at which commands may come.
    mutating func greet(brokers: [Int32] = [1]) throws {
        try answer(KafkaConversation.versions(), to: .apiVersions)
        try answer(KafkaConversation.metadata(brokers: brokers), to: .metadata)
    }

    /// Up to the point at which the topic's end is known, with an offset there.
    mutating func subscribe(endingAt offset: Int64 = 0, epoch: Int32 = -1) throws {
        perform(.subscribe([Topic(id: 0, name: .channel("t"))]))
        try answer(KafkaConversation.metadata(topic: "t", epoch: max(epoch, 0)), to: .metadata)
        try answer(KafkaConversation.offsets(offset, epoch: epoch), to: .listOffsets)
        openWishes()
        try answer(KafkaConversation.versions(), to: .apiVersions)
        try answer(KafkaConversation.fetched(highWatermark: offset), to: .fetch)
    }

    /// Up to the point at which a message to the topic is on its way.
    mutating func beginPublishing(idempotent: Bool = true) throws {
        publish("x")
        try answer(KafkaConversation.metadata(topic: "t"), to: .metadata)
        try answer(KafkaConversation.producerId(idempotent ? 0 : -1), to: .initProducerId)
    }
}
