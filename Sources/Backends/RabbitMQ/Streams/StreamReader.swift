import BroadcasterWire

/// The connection that reads streams: a consumer at the end of each that is subscribed to, and one for each reading.
///
/// Streams are declared on one channel and consumed on another, so that a declaration that the server refuses ends nothing
/// that is read.
struct StreamReader: Sendable {
    private enum Phase: Sendable {
        case greeting
        case open
    }

    /// The end of the connection, for a reason of the server's that concerns all.
    enum Outcome: Sendable {
        case goOn
        case ended(Rejection)
    }

    private let url: RabbitMQURL
    private let nonce: String
    /// Bytes of a message.
    private let limit: Int
    var connection: AMQPConnection
    private var phase = Phase.greeting
    private var declarations: StreamDeclarations
    private var consumers = StreamConsumers()
    private var tails: [String: StreamTail] = [:]
    private var readings: [UInt64: StreamReading] = [:]
    /// Those that wait to know the end of the stream.
    private var requests: [UInt64: HistoryRequest] = [:]
    private var nextMark: UInt64 = 1
    private var marks: [StreamMark] = []
    /// The delivery that is not acknowledged yet.
    private var delivered: UInt64?
    /// Topics whose bells are to ring.
    private var rung: Set<Int> = []

    /// The most entries that are on their way to the tail of one stream.
    private static let prefetch: UInt16 = 500
    /// The tails that nobody needs and that are kept, since the next reading is likely of the same channel.
    private static let idleTails = 4

    init(
        _ url: RabbitMQURL, _ streams: StreamOptions, options: CommonOptions, lane: Lane,
        nonce: String, at now: Instant, into output: inout SessionOutput
    ) {
        self.url = url
        self.nonce = nonce
        declarations = StreamDeclarations(url, streams)
        limit = options.maximumMessageSize
        connection = AMQPConnection(
            url, lane: lane, options: options,
            contents: [StreamConsumers.channel: options.maximumMessageSize], at: now,
            into: &output[lane])
    }

    private var lane: Lane { connection.lane }

    // MARK: Requests

    mutating func subscribe(_ topics: [Topic], into output: inout SessionOutput) {
        for topic in topics {
            needEnd(of: topic.name.text, .subscription, into: &output)
            tails[topic.name.text]?.topic = topic
        }
    }

    mutating func unsubscribe(_ topics: [Topic], into output: inout SessionOutput) {
        for topic in topics {
            output.append(.unsubscribed(topic: topic.id))
            rung.remove(topic.id)
            tails[topic.name.text]?.leave()
        }
        closeIdle(into: &output)
    }

    mutating func read(_ requests: [HistoryRequest], into output: inout SessionOutput) {
        for request in requests { read(request, into: &output) }
    }

    private mutating func read(_ request: HistoryRequest, into output: inout SessionOutput) {
        let channel = request.channel.name.text
        // A place beyond the newest that has come here is looked up, as what nobody follows is.
        if case .forwards(let page) = request.kind, let tail = tails[channel],
            let end = tail.newest, tail.isLive,
            max(page.cursor.position, page.end ?? .origin) <= end
        {
            if let page = tail.page(request, page) {
                answer(page, into: &output)
            } else {
                tails[channel]?.readings += 1
                begin(request, end: end, into: &output)
            }
            return
        }
        self.requests[request.ticket] = request
        needEnd(of: channel, .reading(ticket: request.ticket), into: &output)
    }

    private mutating func needEnd(
        of channel: String, _ waiter: StreamTail.Waiter, into output: inout SessionOutput
    ) {
        if tails[channel] == nil {
            tails[channel] = StreamTail(channel)
            if case .open = phase { declarations.declare(channel, into: &output[lane]) }
        }
        tails[channel]?.wait(for: nextMark, waiter)
        if tails[channel]?.isLive == true {
            marks.append(StreamMark(channel: channel, session: nonce, number: nextMark))
        }
        nextMark += 1
    }

    /// The marks that are to be written now.
    mutating func takeMarks() -> [StreamMark] {
        defer { marks = [] }
        return marks
    }

    /// Those that were written, and have not come.
    var awaitedMarks: [StreamMark] { tails.values.flatMap { awaitedMarks(of: $0) } }

    private func awaitedMarks(of tail: StreamTail) -> [StreamMark] {
        tail.marks.map { StreamMark(channel: tail.channel, session: nonce, number: $0) }
    }

    // MARK: Streams

    /// Leaves the streams that nobody needs, but for the last few.
    private mutating func closeIdle(into output: inout SessionOutput) {
        let idle = tails.values.filter { $0.isIdle && $0.isLive }
        guard idle.count > Self.idleTails else { return }
        for tail in idle.sorted(by: { $0.channel < $1.channel }).dropFirst(Self.idleTails) {
            tails[tail.channel] = nil
            consumers.cancel(.tail(tail.channel), into: &output[lane])
        }
    }

    // MARK: Readings

    private mutating func begin(
        _ request: HistoryRequest, end: Position, into output: inout SessionOutput
    ) {
        let reading = StreamReading(request, end: end)
        if let page = reading.atOnce {
            finish(request, page, into: &output)
        } else {
            readings[request.ticket] = reading
            consume(reading, into: &output)
        }
    }

    private mutating func consume(_ reading: StreamReading, into output: inout SessionOutput) {
        consumers.begin(
            .reading(ticket: reading.request.ticket),
            of: url.stream(of: reading.request.channel.name.text), from: reading.offset,
            prefetch: reading.prefetch, into: &output[lane])
    }

    private mutating func finish(
        _ request: HistoryRequest, _ page: StreamPage, into output: inout SessionOutput
    ) {
        readings[request.ticket] = nil
        consumers.cancel(.reading(ticket: request.ticket), into: &output[lane])
        tails[request.channel.name.text]?.readings -= 1
        answer(page, into: &output)
        closeIdle(into: &output)
    }

    private func answer(_ page: StreamPage, into output: inout SessionOutput) {
        guard let result = page.result else { return }
        for size in page.tooLong {
            output.append(.tooLong(size, limit: limit, topic: page.topic))
        }
        output.append(.page(result))
    }

    // MARK: What comes

    mutating func opened(into output: inout SessionOutput) {
        consumers.open(into: &output[lane])
        declarations.open(into: &output[lane])
        declarations.declareExchanges(into: &output[lane])
        phase = .open
        for channel in tails.keys.sorted() {
            declarations.declare(channel, into: &output[lane])
        }
    }

    mutating func received(
        _ method: AMQPMethod, on channel: UInt16, into output: inout SessionOutput
    ) throws(ProtocolError) -> Outcome {
        switch (channel, method) {
        case (StreamDeclarations.channel, .channel(.close(let close))):
            return refused(Rejection(close), into: &output)
        case (StreamDeclarations.channel, _):
            if let bound = try declarations.answered(method) { follow(bound, into: &output) }
        case (StreamConsumers.channel, .channel(.close(let close))):
            return refusedConsumer(Rejection(close), into: &output)
        case (StreamConsumers.channel, .basic(.cancel)):
            return .ended(
                Rejection(kind: .temporary, message: "the server has cancelled a stream's consumer")
            )
        case (StreamConsumers.channel, _): try consumed(method)
        default:
            throw ProtocolError(
                reading: "AMQP answer, reading streams", expected: "answers on channels 1 and 2",
                found: "method \(method.id) on channel \(channel)")
        }
        return .goOn
    }

    /// Consumes the end of a channel's stream, which is declared and bound.
    private mutating func follow(_ channel: String, into output: inout SessionOutput) {
        guard tails[channel] != nil else { return }
        consumers.begin(
            .tail(channel), of: url.stream(of: channel), from: .text("next"),
            prefetch: Self.prefetch, into: &output[lane])
    }

    private mutating func consumed(_ method: AMQPMethod) throws(ProtocolError) {
        guard case .tail(let channel)? = try consumers.answered(method) else { return }
        tails[channel]?.opened()
        if let tail = tails[channel] { marks += awaitedMarks(of: tail) }
    }

    /// The server has closed the channel for declarations.
    private mutating func refused(
        _ rejection: Rejection, into output: inout SessionOutput
    ) -> Outcome {
        let (culprit, others) = declarations.closed(into: &output[lane])
        guard let culprit, rejection.kind != .temporary else { return .ended(rejection) }
        refuse(culprit, rejection, into: &output)
        declarations.open(into: &output[lane])
        for channel in others { declarations.declare(channel, into: &output[lane]) }
        return .goOn
    }

    private mutating func refuse(
        _ channel: String, _ rejection: Rejection, into output: inout SessionOutput
    ) {
        guard var tail = tails.removeValue(forKey: channel) else { return }
        for waiter in tail.takeWaiters() {
            switch waiter {
            case .subscription:
                guard let topic = tail.topic else { continue }
                output.append(.subscriptionRefused(topic: topic.id, rejection))
            case .reading(let ticket):
                requests[ticket] = nil
                output.append(.pageRefused(ticket: ticket, rejection))
            }
        }
    }

    /// The server has closed the channel for consumers, and with it all of them. The connection is made anew.
    private mutating func refusedConsumer(
        _ rejection: Rejection, into output: inout SessionOutput
    ) -> Outcome {
        if rejection.kind != .temporary {
            switch consumers.refused {
            case .tail(let channel): refuse(channel, rejection, into: &output)
            case .reading(let ticket):
                readings[ticket] = nil
                output.append(.pageRefused(ticket: ticket, rejection))
            case nil: break
            }
        }
        return .ended(Rejection(kind: .temporary, message: rejection.message))
    }

    // MARK: Messages

    mutating func take(
        _ content: ContentAssembler.Content, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard case .deliver(let tag, let number, _, _, _) = content.method else {
            throw ProtocolError(
                reading: "AMQP, reading streams", expected: "messages of consumers",
                found: "method \(AMQPMethod.basic(content.method).id)")
        }
        delivered = number
        // One that was cancelled goes on for a while.
        guard let consumer = consumers[tag] else { return }
        let entry = try StreamEntry(content)
        try consumers.came(entry, to: tag)
        switch consumer {
        case .tail(let channel): take(entry, atTailOf: channel, into: &output)
        case .reading(let ticket): take(entry, in: ticket, into: &output)
        }
    }

    private mutating func take(
        _ entry: StreamEntry, atTailOf channel: String, into output: inout SessionOutput
    ) {
        let mark = entry.mark.flatMap { StreamMark.number(of: $0, session: nonce) }
        guard let told = tails[channel]?.take(entry, mark: mark) else { return }
        let topic = tails[channel]?.topic
        if entry.mark == nil, let topic { rung.insert(topic.id) }
        if told.isEmpty { return }
        for waiter in told {
            switch waiter {
            case .subscription:
                guard let topic else { continue }
                output.append(.subscribed(topic: topic.id, resumedAt: entry.position))
            case .reading(let ticket):
                guard let request = requests.removeValue(forKey: ticket) else { continue }
                tails[channel]?.readings += 1
                begin(request, end: entry.position, into: &output)
            }
        }
        closeIdle(into: &output)
    }

    private mutating func take(
        _ entry: StreamEntry, in ticket: UInt64, into output: inout SessionOutput
    ) {
        guard let progress = readings[ticket]?.take(entry), let reading = readings[ticket] else {
            return
        }
        switch progress {
        case .goOn: break
        case .done(let page): finish(reading.request, page, into: &output)
        case .again:
            consumers.cancel(.reading(ticket: ticket), into: &output[lane])
            consume(reading, into: &output)
        }
    }

    /// Acknowledges what has come, which lets the server send more, and rings the bells of what was new.
    mutating func settle(into output: inout SessionOutput) {
        if let number = delivered.take() {
            consumers.acknowledge(upTo: number, into: &output[lane])
        }
        for topic in rung.sorted() { output.append(.rang(topic: topic)) }
        rung = []
    }

    // MARK: Time

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        let mustAsk = try connection.timeReached(now, isBlocked: false, into: &output[lane])
        if mustAsk, case .open = phase { declarations.ping(into: &output[lane]) }
    }
}
