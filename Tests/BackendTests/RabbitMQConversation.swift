import BroadcasterRabbitMQ
import BroadcasterTestSupport
import BroadcasterWire

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
    maximumMessageSize: 1 << 16)

func rabbitBackend(_ url: String) throws -> RabbitMQBackend {
    try RabbitMQBackend(try ServerURL(url), options: options)
}

/// A session of RabbitMQ, with the name of its publisher given.
func rabbitSession(
    _ url: String, nonce: String = "abcdefghijklmnopqrstuvwx"
) throws -> any Session {
    try rabbitBackend(url).makeSession(nonce: nonce)
}

/// A session with a RabbitMQ server whose answers the test writes, on any lane, and a clock that the test moves.
struct RabbitMQConversation {
    var session: any Session
    var output = SessionOutput()
    var now = Instant.now
    private var buffers: [Lane: ReceiveBuffer] = [:]
    private var sentBytes: [Lane: [UInt8]] = [:]
    private var topics: [Int: TopicName] = [:]
    private(set) var wishes: [Lane] = []
    private(set) var finished: [Lane] = []
    private var events: [String] = []

    static let tuning = AMQPTuning(channels: 2047, frame: 131_072, heartbeat: 60)

    /// Opens the main lane.
    init(_ url: String = "amqp://h") throws {
        session = try rabbitSession(url)
        open(.main)
    }

    /// A session that is ready, with its channel open.
    static func ready(_ url: String = "amqp://h") throws -> RabbitMQConversation {
        var conversation = try RabbitMQConversation(url)
        try conversation.greet(.main)
        try conversation.answer(.channel(.openOk), 1)
        _ = conversation.sent()
        _ = conversation.takeEvents()
        return conversation
    }

    /// A session that receives: the subscribed topics are bound, on the lane with number 1.
    static func subscribed(
        to names: TopicName..., url: String = "amqp://h"
    ) throws -> RabbitMQConversation {
        var conversation = try RabbitMQConversation.ready(url)
        conversation.subscribe(names)
        try conversation.prepare(Lane(index: 1))
        for _ in names { try conversation.answer(.queue(.bindOk), 1, on: Lane(index: 1)) }
        _ = conversation.sent(on: Lane(index: 1))
        _ = conversation.takeEvents()
        return conversation
    }

    // MARK: The core's side

    mutating func open(_ lane: Lane) {
        buffers[lane] = ReceiveBuffer()
        session.opened(lane, to: .test, at: now, into: &output)
        collect()
    }

    mutating func perform(_ command: Command) {
        session.perform(command, at: now, into: &output)
        collect()
    }

    mutating func subscribe(_ names: [TopicName]) {
        perform(.subscribe(names.map { topic($0) }))
    }

    mutating func topic(_ name: TopicName) -> Topic {
        if let known = topics.first(where: { $0.value == name }) {
            return Topic(id: known.key, name: name)
        }
        let topic = Topic(id: topics.count, name: name)
        topics[topic.id] = name
        return topic
    }

    private var lastTicket: UInt64 = 0

    mutating func publish(_ texts: String..., to channel: String = "c") {
        var publications: [Publication] = []
        for text in texts {
            publications.append(
                Publication(ticket: lastTicket, channel: channel, payload: .text(text)))
            lastTicket += 1
        }
        perform(.publish(publications))
    }

    /// Ends a lane, as a server does that closes it.
    mutating func lose(_ lane: Lane) -> LaneLoss {
        defer { collect() }
        return session.lost(
            lane, .lost("the server closed the connection"), at: now, into: &output)
    }

    /// Lets time pass, with all that is due meanwhile.
    mutating func wait(_ duration: Duration) throws {
        let end = now + duration
        while let due = session.deadline, due <= end {
            now = max(due, now)
            try session.timeReached(now, into: &output)
            collect()
        }
        now = end
    }

    // MARK: The server's side

    mutating func receive(_ bytes: [UInt8], on lane: Lane = .main, feed: Feed = .whole) throws {
        defer { collect() }
        for piece in feed.pieces(of: bytes) {
            buffers[lane, default: ReceiveBuffer()].append(piece)
            try session.receive(
                &buffers[lane, default: ReceiveBuffer()], on: lane, at: now, into: &output)
        }
    }

    mutating func answer(_ method: AMQPMethod, _ channel: UInt16, on lane: Lane = .main) throws {
        var bytes: [UInt8] = []
        method.append(on: channel, to: &bytes)
        try receive(bytes, on: lane)
    }

    /// Greets, up to connection.open-ok.
    mutating func greet(_ lane: Lane) throws {
        let product = AMQPTable(["product": .text("RabbitMQ"), "version": .text("3.10.8")])
        try answer(
            .connection(
                .start(major: 0, minor: 9, product, mechanisms: "PLAIN AMQPLAIN", locales: "en_US")),
            0, on: lane)
        try answer(.connection(.tune(Self.tuning)), 0, on: lane)
        try answer(.connection(.openOk), 0, on: lane)
    }

    /// Connects a lane that receives, and answers until its queue is consumed.
    mutating func prepare(_ lane: Lane) throws {
        open(lane)
        try greet(lane)
        try answer(.channel(.openOk), 2, on: lane)
        for method: AMQPMethod in [
            .channel(.openOk), .exchange(.declareOk), .exchange(.declareOk), .exchange(.bindOk),
            .queue(.declareOk("amq.gen-1", messages: 0, consumers: 0)),
        ] {
            try answer(method, 1, on: lane)
        }
        try answer(.basic(.consumeOk(tag: "broadcaster")), 2, on: lane)
    }

    /// The frames of a message that the server delivers.
    static func delivery(
        _ text: String, on channel: String = "c", stamp: (publisher: String, number: Int64)? = nil,
        headers: AMQPTable? = nil, pieces: Int = 1
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        AMQPMethod.basic(
            .deliver(
                tag: "broadcaster", number: 1, isRedelivered: false, exchange: "broadcaster",
                key: Array(channel.utf8))
        ).append(on: 2, to: &bytes)
        var properties: [UInt8] = [0, 0]
        if let stamp {
            properties = [0x20, 0x80]
            AMQPTable([
                MessageStamp.publisherName: .text(stamp.publisher),
                MessageStamp.numberName: .int64(stamp.number),
            ]).append(to: &properties)
            properties += [1, UInt8(ascii: "7")]
        } else if let headers {
            properties = [0x20, 0]
            headers.append(to: &properties)
        }
        return bytes + content(text, properties, on: 2, pieces: pieces)
    }

    static func content(
        _ text: String, _ properties: [UInt8], on channel: UInt8, pieces: Int = 1
    ) -> [UInt8] {
        let body = Array(text.utf8)
        let size = (0..<8).map { UInt8(truncatingIfNeeded: body.count >> (56 - 8 * $0)) }
        var bytes = frame(2, channel, [0, 60, 0, 0] + size + properties)
        let length = max((body.count + pieces - 1) / pieces, 1)
        for start in stride(from: 0, to: body.count, by: length) {
            bytes += frame(3, channel, Array(body[start..<min(start + length, body.count)]))
        }
        return bytes
    }

    static func frame(_ type: UInt8, _ channel: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let size = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: payload.count >> $0) }
        return [type, 0, channel] + size + payload + [0xce]
    }

    // MARK: What was seen

    /// The methods sent since the last call.
    mutating func sent(on lane: Lane = .main) -> [AMQPMethod] {
        let bytes = sentBytes.removeValue(forKey: lane) ?? []
        var start = bytes.starts(with: AMQPFrame.protocolHeader) ? 8 : 0
        var methods: [AMQPMethod] = []
        while let frame = try? AMQPFrame.next(in: bytes.span, at: start, limit: 1 << 20) {
            start = frame.end
            if frame.kind == .method, let method = try? AMQPMethod(bytes[frame.payload]) {
                methods.append(method)
            }
        }
        return methods
    }

    /// The bytes sent since the last call.
    mutating func sentRaw(on lane: Lane = .main) -> [UInt8] {
        sentBytes.removeValue(forKey: lane) ?? []
    }

    mutating func takeEvents() -> [String] {
        defer { events = [] }
        return events
    }

    mutating func takeWishes() -> [Lane] {
        defer { wishes = [] }
        return wishes
    }

    private mutating func collect() {
        wishes += output.takeConnections().map(\.lane)
        finished += output.takeFinished()
        output.drainBytes { lane, bytes in
            sentBytes[lane, default: []] += bytes
            bytes = []
        }
        let names = topics
        for event in output.takeEvents() {
            events += TranscriptLine.event(event) { names[$0] }
        }
    }
}
