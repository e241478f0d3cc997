import BroadcasterBackendKit

/// One conversation with a NATS server: INFO, CONNECT, then subscriptions, messages and their answers on one lane.
///
/// With `verbose` the server answers each SUB, UNSUB and PUB, in order, by `+OK` or `-ERR`, and each PING by PONG; so what
/// is due stands in one queue.
struct NATSSession: Session {
    private enum Phase: Hashable {
        /// Waiting for INFO.
        case greeting
        /// CONNECT and a PING are sent: the PONG says that the login has been accepted.
        case loggingIn
        case open
        /// The server has refused us, or QUIT is near: what still comes does not matter.
        case closing
    }

    /// An answer that is due.
    private enum Expected: Hashable {
        case login
        case subscription(Topic)
        case end(Topic)
        case publication(ticket: UInt64)
        case pong(isAsked: Bool)
    }

    /// A message whose line has come, and its content not yet.
    private struct Pending {
        let subject: [UInt8]
        let subscription: Int
        /// Bytes that are missing of a message that is too long to be kept.
        var skipped: Int?
        let count: Int
    }

    private let url: NATSURL
    private let options: CommonOptions
    private var phase = Phase.greeting
    private var login: ClientInfo
    private var info: ServerInfo?
    private var expected: [Expected] = []
    private var answered = 0
    private var subscriptions: [Int: (topic: Topic, origin: Origin)] = [:]
    private var numbers: [TopicName: Int] = [:]
    private var lastNumber = 0
    private var pending: Pending?
    private var heartbeat: Heartbeat
    private var watch: AnswerWatch
    /// The moment since which an answer is due.
    private var isDueSince: Instant?

    init(_ url: NATSURL, options: CommonOptions) {
        self.url = url
        self.options = options
        login = ClientInfo(url)
        heartbeat = Heartbeat(interval: options.pingInterval)
        watch = AnswerWatch(timeout: options.answerTimeout)
    }

    // MARK: Opening

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        login = ClientInfo(url.using(password: peer.password))
        heartbeat.start(at: now)
    }

    private mutating func greeted(
        _ json: [UInt8], at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard let info = ServerInfo(json) else {
            throw ProtocolError(
                reading: "NATS INFO", expected: "JSON with a version", found: "\(json.count) bytes")
        }
        self.info = info
        // Later ones tell of other servers of a cluster, which the URL names.
        guard phase == .greeting else { return }
        if info.tls_required == true {
            return end(
                Rejection(kind: .permanent, message: "the server asks for TLS, which is not there"),
                into: &output)
        }
        phase = .loggingIn
        send("CONNECT ", into: &output)
        output[.main] += login.json
        send("\r\n", into: &output)
        expect(.login, at: now)
        ping(isAsked: false, at: now, into: &output)
    }

    // MARK: Commands

    var intake: PublishIntake { phase == .open ? .pipelined : .none }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let topics):
            for topic in topics { subscribe(topic, at: now, into: &output) }
        case .unsubscribe(let topics):
            for topic in topics { unsubscribe(topic, at: now, into: &output) }
        case .publish(let publications):
            for publication in publications { publish(publication, at: now, into: &output) }
        case .ping: ping(isAsked: true, at: now, into: &output)
        case .close:
            // NATS has no goodbye: the server notices the end.
            phase = .closing
            output.finish(.main)
        // `.read` comes to backends that keep a history; later versions may have more.
        default: break
        }
    }

    private mutating func subscribe(
        _ topic: Topic, at now: Instant, into output: inout SessionOutput
    ) {
        lastNumber += 1
        subscriptions[lastNumber] = (topic, Origin(topic.name))
        numbers[topic.name] = lastNumber
        send("SUB \(topic.name.text) \(lastNumber)\r\n", into: &output)
        expect(.subscription(topic), at: now)
    }

    private mutating func unsubscribe(
        _ topic: Topic, at now: Instant, into output: inout SessionOutput
    ) {
        guard let number = numbers.removeValue(forKey: topic.name) else {
            return output.append(.unsubscribed(topic: topic.id))
        }
        subscriptions[number] = nil
        send("UNSUB \(number)\r\n", into: &output)
        expect(.end(topic), at: now)
    }

    private mutating func publish(
        _ publication: Publication, at now: Instant, into output: inout SessionOutput
    ) {
        let count = publication.payload.byteCount
        if let limit = info?.max_payload, count > limit {
            // The server would end the connection.
            return output.append(
                .publishRefused(
                    ticket: publication.ticket,
                    Rejection(
                        kind: .permanent,
                        message: "a message has \(count) bytes, the server allows \(limit)")))
        }
        send("PUB \(publication.channel) \(count)\r\n", into: &output)
        publication.payload.append(to: &output[.main])
        send("\r\n", into: &output)
        expect(.publication(ticket: publication.ticket), at: now)
    }

    private mutating func ping(
        isAsked: Bool, at now: Instant, into output: inout SessionOutput
    ) {
        send("PING\r\n", into: &output)
        expect(.pong(isAsked: isAsked), at: now)
    }

    private func send(_ text: String, into output: inout SessionOutput) {
        output[.main] += text.utf8
    }

    private mutating func expect(_ answer: Expected, at now: Instant) {
        if isDueSince == nil { isDueSince = now }
        expected.append(answer)
    }

    // MARK: What comes

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        heartbeat.heard()
        while phase != .closing {
            if pending != nil {
                guard try takeContent(&buffer, into: &output) else { return }
                continue
            }
            guard let line = try ServerLine.next(&buffer) else { return }
            try receive(line, at: now, into: &output)
        }
        buffer.consume(upTo: buffer.bytes.count)
    }

    private mutating func receive(
        _ line: ServerLine, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch line {
        case .info(let json): try greeted(json, at: now, into: &output)
        case .message(let subject, let subscription, let count):
            pending = Pending(
                subject: subject, subscription: subscription,
                skipped: count > options.maximumMessageSize ? count + 2 : nil, count: count)
        case .ping: send("PONG\r\n", into: &output)
        case .pong: try receiveAnswer(isPong: true, nil, at: now, into: &output)
        case .ok: try receiveAnswer(isPong: false, nil, at: now, into: &output)
        case .error(let words):
            if NATSSession.isAnswer(words) {
                try receiveAnswer(isPong: false, words, at: now, into: &output)
            } else {
                end(NATSSession.rejection(words, isLogin: phase != .open), into: &output)
            }
        }
    }

    /// Errors that answer a request; after the others the server ends the connection.
    private static func isAnswer(_ words: String) -> Bool {
        [
            "Permissions Violation", "Invalid Subject", "Invalid Publish Subject",
            "maximum subscriptions exceeded",
        ].contains { words.utf8.starts(with: $0.utf8) }
    }

    private static func rejection(_ words: String, isLogin: Bool) -> Rejection {
        let kind: Rejection.Kind =
            if words.utf8.starts(with: "Authorization Violation".utf8) {
                .authentication
            } else if words.utf8.starts(with: "Permissions Violation".utf8) {
                .permission
            } else if words.utf8.starts(with: "maximum connections".utf8) || !isLogin {
                .temporary
            } else {
                .permanent
            }
        return Rejection(kind: kind, message: words)
    }

    /// Takes an answer to the oldest request.
    private mutating func receiveAnswer(
        isPong: Bool, _ error: String?, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard answered < expected.count else {
            throw ProtocolError(
                reading: "NATS answer", expected: "none, nothing was asked",
                found: isPong ? "PONG" : error.map { _ in "-ERR" } ?? "+OK")
        }
        watch.progressed(at: now)
        let answer = expected[answered]
        answered += 1
        if answered == expected.count {
            (expected, answered, isDueSince) = ([], 0, nil)
        } else if answered >= 1024 {
            expected.removeFirst(answered)
            answered = 0
        }
        switch (answer, isPong) {
        case (.pong(let isAsked), true): pong(isAsked: isAsked, into: &output)
        case (.login, false): break
        case (.subscription(let topic), false): confirm(topic, error, into: &output)
        case (.end(let topic), false): output.append(.unsubscribed(topic: topic.id))
        case (.publication(let ticket), false): accept(ticket, error, into: &output)
        default:
            throw ProtocolError(
                reading: "NATS answer", expected: isPong ? "+OK or -ERR" : "PONG",
                found: isPong ? "PONG" : "+OK or -ERR")
        }
    }

    private mutating func pong(isAsked: Bool, into output: inout SessionOutput) {
        if phase == .loggingIn {
            phase = .open
            output.append(
                .ready(
                    ServerIdentity(
                        product: "nats-server", version: info?.version ?? "unknown", dialect: "NATS"
                    )))
        } else if isAsked {
            output.append(.answered)
        }
    }

    private mutating func confirm(
        _ topic: Topic, _ error: String?, into output: inout SessionOutput
    ) {
        guard let error else { return output.append(.subscribed(topic: topic.id)) }
        if let number = numbers.removeValue(forKey: topic.name) { subscriptions[number] = nil }
        output.append(
            .subscriptionRefused(
                topic: topic.id, NATSSession.rejection(error, isLogin: true)))
    }

    private func accept(_ ticket: UInt64, _ error: String?, into output: inout SessionOutput) {
        if let error {
            output.append(
                .publishRefused(ticket: ticket, NATSSession.rejection(error, isLogin: true)))
        } else {
            output.append(published: ticket, receivers: nil)
        }
    }

    /// Takes the content of the message whose line has come. False where it is not whole yet.
    private mutating func takeContent(
        _ buffer: inout ReceiveBuffer, into output: inout SessionOutput
    ) throws(ProtocolError) -> Bool {
        guard let message = pending else { return true }
        let subscribed = subscriptions[message.subscription]
        if let rest = message.skipped {
            let taken = min(rest, buffer.count)
            buffer.consume(upTo: buffer.start + taken)
            pending?.skipped = rest - taken
            guard taken == rest else { return false }
            pending = nil
            if let topic = subscribed?.topic {
                output.append(
                    .undeliverable(
                        topic: topic.id,
                        "a message has \(message.count) bytes, \(options.maximumMessageSize) are allowed"
                    ))
            }
            return true
        }
        guard buffer.count >= message.count + 2 else { return false }
        let end = buffer.start + message.count
        guard buffer.bytes[end] == UInt8(ascii: "\r"), buffer.bytes[end + 1] == UInt8(ascii: "\n")
        else {
            throw ProtocolError(
                reading: "NATS MSG", expected: "CRLF after \(message.count) bytes",
                found: ProtocolError.show(buffer.bytes[end]), at: buffer.streamOffset(of: end))
        }
        // One that was on its way when its subscription ended has none.
        if let (topic, origin) = subscribed {
            output.append(
                messageIn: buffer.bytes.span, at: buffer.start..<end, topic: topic.id,
                origin: topic.name.isPattern
                    ? Origin(.channel(bytes: message.subject), pattern: topic.name.text) : origin)
        }
        buffer.consume(upTo: end + 2)
        pending = nil
        return true
    }

    private mutating func end(_ rejection: Rejection, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(rejection))
    }

    // MARK: Time

    mutating func wrote(on lane: Lane, at now: Instant) {
        heartbeat.heard()
        watch.progressed(at: now)
    }

    /// Before the session is open, the core's deadline for connecting is the one that counts.
    var deadline: Instant? {
        guard phase == .open else { return nil }
        let answer = watch.deadline(due: isDueSince)
        guard let answer, let beat = heartbeat.deadline else { return answer ?? heartbeat.deadline }
        return min(answer, beat)
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard phase == .open else { return }
        if let due = watch.deadline(due: isDueSince), now >= due {
            throw ProtocolError(silence: "the server sends, but has answered nothing for too long")
        }
        switch heartbeat.timeReached(now) {
        case .wait: break
        case .ask: ping(isAsked: false, at: now, into: &output)
        case .dead: throw ProtocolError(silence: "the server has been silent for too long")
        }
    }
}
