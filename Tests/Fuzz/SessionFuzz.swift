import BroadcasterPostgres
import BroadcasterRabbitMQ
import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire

@testable import BroadcasterKafka

/// A whole session, against a server that sends anything, to a client that asks for anything.
///
/// An input is a script: steps that end with the byte 0xF5, which no text and hardly a length holds. The first byte
/// of a step names the action; see `perform`.
struct SessionFuzz {
    /// The bytes that a recorded server sent at once.
    struct Recording {
        let url: Int
        let nonce: String
        let bytes: [UInt8]
    }

    private let folder: String
    private let urls: [String]
    /// The server of the main lane.
    private var peer = PeerInfo.test
    /// Part of the names of the transcripts that are the first inputs.
    private var prefix = ""
    /// False for a session whose words depend on the pieces, since it goes on to another server after each, say.
    private var comparesFeeds = true
    private let makeSession: @Sendable (String) -> (any Session)?

    private static let end: UInt8 = 0xf5
    private static let nonce = "abcdefghijklmnopqrstuvwx"
    private static let options = CommonOptions(
        connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
        maximumMessageSize: 1 << 16)

    static let redis = SessionFuzz(
        folder: "redis", urls: ["redis://h", "redis://h?protocol=2", "redis://u:secret@h/2"]
    ) { url in
        (try? ServerURL(url)).flatMap { try? RedisBackend($0, options: options) }?
            .makeSession(nonce: nonce)
    }

    static let sentinel = SessionFuzz(
        folder: "redis-sentinel",
        urls: ["redis-sentinel://h", "redis-sentinel://h,i?sentinel_password=secret"],
        peer: PeerInfo(endpoint: .tcp(host: "h", port: 26379))
    ) { url in
        (try? ServerURL(url)).flatMap { try? SentinelBackend($0, options: options) }?
            .makeSession(nonce: nonce)
    }

    static let cluster = SessionFuzz(
        folder: "redis-cluster",
        urls: ["redis-cluster://h?sharded=true", "redis-cluster://h", "redis-stream+cluster://h"],
        comparesFeeds: false
    ) { url in
        (try? ServerURL(url)).flatMap { try? ClusterBackend($0, options: options) }?
            .makeSession(nonce: nonce)
    }

    static let postgres = SessionFuzz(
        folder: "postgres", urls: ["postgres://u:secret@h/d", "postgres://u@h/d?sslmode=disable"]
    ) { url in
        (try? ServerURL(url)).flatMap {
            try? PostgresBackend($0, options: options, environment: .empty)
        }?.makeSession(nonce: nonce)
    }

    /// XREAD is sent after what came together, so what answers it depends on the pieces: these are not compared.
    static let redisStreams = SessionFuzz(
        folder: "redis-stream",
        urls: ["redis-stream://h?protocol=3", "redis-stream://h?protocol=2"], comparesFeeds: false
    ) { url in
        (try? ServerURL(url)).flatMap { try? RedisStreamBackend($0, options: options) }?
            .makeSession()
    }

    static let postgresHistory = SessionFuzz(
        folder: "postgres", urls: ["postgres://admin:secret@h/d?history=messages"],
        prefix: "history-"
    ) { url in
        (try? ServerURL(url)).flatMap {
            try? PostgresBackend($0, options: options, environment: .empty)
        }?.makeSession(nonce: nonce)
    }

    static let rabbitmq = SessionFuzz(
        folder: "rabbitmq",
        urls: [
            "amqp://u:secret@h", "amqp://u:secret@h?exchange=amq.topic",
            "amqp://u:secret@h?history=stream",
        ]
    ) { url in
        (try? ServerURL(url)).flatMap { try? RabbitMQBackend($0, options: options) }?
            .makeSession(nonce: nonce)
    }

    static let kafka = SessionFuzz(
        folder: "kafka", urls: ["kafka://127.0.0.1", "kafka://u:secret@h?sasl_mechanism=PLAIN"]
    ) { url in
        (try? ServerURL(url)).flatMap { try? KafkaBackend($0, options: options) }?
            .makeSession(nonce: nonce, time: 0)
    }

    // MARK: Seeds

    private var transcripts: [Transcript] {
        Fixtures.names(in: folder).filter { $0.hasSuffix(".transcript") && $0.contains(prefix) }
            .map { Transcript(named: $0) }
    }

    /// A master that sentinels have named, which they watch.
    static let watched = SessionFuzz(
        folder: "redis-sentinel", urls: ["redis-sentinel://h,i", "redis-stream+sentinel://h"],
        comparesFeeds: false
    ) { url in
        (try? ServerURL(url)).flatMap { try? SentinelBackend($0, options: options) }?
            .makeSession(nonce: nonce)
    }

    /// The bytes that the servers of the fixtures sent.
    var recordings: [[(lane: Lane, bytes: [UInt8])]] {
        transcripts.map { transcript in
            transcript.steps.compactMap { step in
                if case .received(let lane, let bytes) = step.input { (lane, bytes) } else { nil }
            }
        }
    }

    var seeds: [[UInt8]] { transcripts.map(seed) }

    private func seed(_ transcript: Transcript) -> [UInt8] {
        let isOld = transcript.url.contains("protocol=2")
        var seed: [UInt8] = [isOld ? 1 : transcript.url.contains("history=stream") ? 2 : 0]
        for step in transcript.steps {
            switch step.input {
            case .opened: break
            case .received(let lane, let bytes):
                switch lane.index {
                case 0: seed.append(UInt8(ascii: "m"))
                case 1: seed.append(UInt8(ascii: "s"))
                default: seed += [UInt8(ascii: "l"), UInt8(clamping: lane.index)]
                }
                seed += renamed(bytes, transcript.nonce) + [SessionFuzz.end]
            case .commands(let lines):
                for line in lines {
                    let words = line.split(separator: " ")
                    if words.first == "read" {
                        let request = words.dropFirst(3).joined(separator: " ")
                        seed += [UInt8(ascii: "r")] + request.utf8 + [SessionFuzz.end]
                        continue
                    }
                    for word in words.dropFirst() {
                        seed += [UInt8(ascii: line.first == "s" ? "+" : "p")]
                        seed += Transcript.unescape(word) + [SessionFuzz.end]
                    }
                }
            }
        }
        return seed
    }

    /// Replaces the recorded nonce by that of the fuzzed sessions, which is as long.
    private func renamed(_ bytes: [UInt8], _ nonce: String?) -> [UInt8] {
        guard let nonce = nonce.map({ Array($0.utf8) }), bytes.count >= nonce.count else {
            return bytes
        }
        var bytes = bytes
        for start in 0...bytes.count - nonce.count
        where bytes[start..<start + nonce.count].elementsEqual(nonce) {
            bytes.replaceSubrange(start..<start + nonce.count, with: SessionFuzz.nonce.utf8)
        }
        return bytes
    }

    // MARK: Running

    func run(_ input: [UInt8]) {
        let url = urls[Int(input.first ?? 0) % urls.count]
        let steps = input.dropFirst().split(separator: SessionFuzz.end)
        let whole = play(steps, url, piece: .max)
        let cut = play(steps, url, piece: 1)
        guard comparesFeeds else { return }
        require(whole.failed == cut.failed, "only one of two feeds failed")
        require(whole.told == cut.told, "told differently: \(whole.told) and \(cut.told)")
    }

    private func play(
        _ steps: [ArraySlice<UInt8>], _ url: String, piece: Int
    ) -> (told: [String], failed: Bool) {
        guard let session = makeSession(url) else { fatalError("\(url) makes no session") }
        var conversation = Conversation(session: session, to: peer)
        do throws(ProtocolError) {
            for step in steps { try conversation.perform(step, piece: piece) }
        } catch {
            require(!error.description.contains("secret"), "an error that shows the password")
            return (conversation.told, true)
        }
        return (conversation.told, false)
    }
}

/// A session run as the core would run it, and its events.
private struct Conversation {
    private var session: any Session
    private var output = SessionOutput()
    private var buffers: [Lane: ReceiveBuffer] = [:]
    private var open: Set<Lane> = [.main]
    private var topics: [TopicName: Topic] = [:]
    private var lastTicket: UInt64 = 0
    private var now = Instant.now
    /// The core drops a session that was rejected.
    private var isRejected = false
    private(set) var told: [String] = []

    init(session: any Session, to peer: PeerInfo) {
        self.session = session
        self.session.opened(.main, to: peer, at: now, into: &output)
        settle()
    }

    mutating func perform(_ step: ArraySlice<UInt8>, piece: Int) throws(ProtocolError) {
        guard let kind = step.first, !isRejected else { return }
        let rest = Array(step.dropFirst())
        let name = String(decoding: rest, as: UTF8.self)
        switch Unicode.Scalar(kind) {
        case "m": try receive(rest, on: .main, piece: piece)
        case "s": try receive(rest, on: Lane(index: 1), piece: piece)
        case "l":
            let lane = Lane(index: Int(rest.first ?? 0))
            try receive(Array(rest.dropFirst()), on: lane, piece: piece)
        case "+": session.perform(.subscribe([topic(.channel(name))]), at: now, into: &output)
        case "*": session.perform(.subscribe([topic(.pattern(name))]), at: now, into: &output)
        case "-":
            if let known = topics.removeValue(forKey: .channel(name)) {
                session.perform(.unsubscribe([known]), at: now, into: &output)
            }
        case "p":
            lastTicket += 1
            let publication = Publication(
                ticket: lastTicket, channel: "chat", payload: .bytes(rest))
            if session.intake != .none {
                session.perform(.publish([publication]), at: now, into: &output)
            }
        case "r":
            let words = name.split(separator: " ").map(String.init)
            guard let request = TranscriptLine.requestKind(words) else { break }
            lastTicket += 1
            let channel = topics[.channel("chat")] ?? Topic(id: -1, name: .channel("chat"))
            session.perform(
                .read([HistoryRequest(ticket: lastTicket, channel: channel, kind: request)]),
                at: now, into: &output)
        case "h" where session is KafkaSession: read(rest)
        case "i": session.perform(.ping, at: now, into: &output)
        case "c": session.perform(.close, at: now, into: &output)
        default:
            now += .seconds(Int(kind % 8))
            try session.timeReached(now, into: &output)
        }
        settle()
    }

    /// Reads a history: from the place that the bytes name, or the newest, or from the beginning.
    private mutating func read(_ bytes: [UInt8]) {
        lastTicket += 1
        let position = Position(bytes) ?? .origin
        let kinds: [HistoryRequest.Kind] = [
            .start(.all), .start(.last(3)), .start(.since(.seconds(5))),
            .forwards(PageRequest(cursor: .after(position), count: 3)),
            .backwards(before: nil, count: 3),
        ]
        session.perform(
            .read([
                HistoryRequest(
                    ticket: lastTicket, channel: topic(.channel("chat")),
                    kind: kinds[Int(bytes.first ?? 0) % kinds.count])
            ]), at: now, into: &output)
    }

    private mutating func topic(_ name: TopicName) -> Topic {
        let topic = topics[name] ?? Topic(id: topics.count, name: name)
        topics[name] = topic
        return topic
    }

    private mutating func receive(
        _ bytes: [UInt8], on lane: Lane, piece: Int
    ) throws(ProtocolError) {
        var rest = bytes[...]
        while !rest.isEmpty, open.contains(lane), !isRejected {
            buffers[lane, default: ReceiveBuffer()].append(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            do throws(ProtocolError) {
                try session.receive(
                    &buffers[lane, default: ReceiveBuffer()], on: lane, at: now, into: &output)
            } catch {
                settle()
                throw error
            }
            settle()
        }
        // Not after each piece: the number of calls with the time is no property of the bytes.
        try work()
        require((buffers[lane]?.count ?? 0) <= bytes.count + (2 << 20), "bytes pile up")
    }

    /// Does the work that the session does in slices: a server may ask for many rounds, of which this tries a few.
    private mutating func work() throws(ProtocolError) {
        for _ in 0..<40 {
            guard !isRejected, let due = session.deadline, due <= now else { return }
            try session.timeReached(now, into: &output)
            settle()
        }
    }

    private mutating func settle() {
        for wish in output.takeConnections() {
            open.insert(wish.lane)
            let peer = wish.endpoint.map { PeerInfo(endpoint: $0) } ?? .test
            session.opened(wish.lane, to: peer, at: now, into: &output)
        }
        for lane in output.takeFinished() { open.remove(lane) }
        output.drainBytes { _, bytes in bytes = [] }
        for event in output.takeEvents() {
            if isRejected { return }
            if case .rejected = event { isRejected = true }
            // One bell may stand for any number of messages.
            if case .rang = event { continue }
            told += TranscriptLine.event(event) { .channel("topic \($0)") }
        }
    }
}
