import BroadcasterWire

/// The connection that publishes: its channel, the exchanges it needs, and what the server has not confirmed.
struct RabbitMQPublisher: Sendable {
    private enum Phase: Sendable {
        /// The connection logs in, or the channel is being opened.
        case opening
        case open
    }

    /// An answer that the server owes, in the order of the requests.
    private enum Reply: Sendable {
        case openChannel
        case exchange(RabbitMQTopology.ExchangeReply)
        case selectConfirms
        case declareStream
        case bindStream
        case pong(isAsked: Bool)
    }

    /// The server does not read from us: since when the messages before it wait, and why.
    private struct Block: Sendable {
        let reason: String
        /// The moment at which what was sent before is given up; nil once it was.
        var due: Instant?
    }

    private let url: RabbitMQURL
    private let publishTimeout: Duration
    var connection: AMQPConnection
    private var phase = Phase.opening
    private var expected = Queue<Reply>()
    private var encoder: PublishEncoder
    private var ledger = ConfirmLedger()
    private var counter: ChannelCounter
    /// The exchanges are declared and confirms selected, on this channel.
    private var hasTopology = false
    /// The channels whose streams are declared, on this channel.
    private var streamsDeclared: Set<String> = []
    /// The callers of `ping` that have no answer yet.
    private(set) var callers = 0
    private var block: Block?
    /// The server has asked to stop (`channel.flow`).
    private var isHeld = false

    private static let channel = PublishEncoder.channel
    /// The streams that are remembered to be declared: doing so once more costs the server 0.3 ms.
    private static let mostStreams = 10_000

    /// - Parameter counter: goes on from one connection to the next, so that a message lost between them is missed.
    init(
        _ url: RabbitMQURL, options: CommonOptions, lane: Lane, counter: ChannelCounter,
        at now: Instant, into output: inout SessionOutput
    ) {
        self.url = url
        self.counter = counter
        publishTimeout = options.publishTimeout
        encoder = PublishEncoder(exchange: url.exchange, frameLimit: AMQPFrame.usualLimit)
        // Of messages that come back only the header counts.
        connection = AMQPConnection(
            url, lane: lane, options: options, contents: [Self.channel: 0], at: now,
            into: &output[lane])
    }

    var lane: Lane { connection.lane }
    var isOpen: Bool { if case .open = phase { true } else { false } }
    var numbers: ChannelCounter { counter }

    /// The reason for which nothing is published now.
    var hold: String? {
        if let block { return "the server takes no messages: \(block.reason)" }
        return isHeld ? "the server asks to stop publishing" : nil
    }

    private var isBlocked: Bool { block != nil }

    /// Messages that come when there is nowhere to send them wait in the core, unsent.
    var intake: PublishIntake { isOpen && hold == nil ? .pipelined : .none }

    // MARK: Requests

    private func send(_ method: AMQPMethod, into output: inout SessionOutput) {
        method.append(on: Self.channel, to: &output[lane])
    }

    private mutating func openChannel(into output: inout SessionOutput) {
        phase = .opening
        hasTopology = false
        streamsDeclared = []
        ledger = ConfirmLedger()
        send(.channel(.open), into: &output)
        expected.append(.openChannel)
    }

    /// Declares the exchanges with the first message, so that one who only listens needs no right to that here.
    private mutating func declareTopology(into output: inout SessionOutput) {
        hasTopology = true
        let replies = RabbitMQTopology.declareExchanges(
            url, on: Self.channel, into: &output[lane])
        for reply in replies { expected.append(.exchange(reply)) }
        send(.confirm(.select), into: &output)
        expected.append(.selectConfirms)
    }

    mutating func publish(_ publications: [Publication], into output: inout SessionOutput) {
        guard intake != .none else {
            return Self.refuse(publications.map(\.ticket), hold, into: &output)
        }
        if !hasTopology { declareTopology(into: &output) }
        for publication in publications {
            declareStream(publication.channel, into: &output)
            let number = counter.next(on: publication.channel)
            encoder.append(
                publication, publisher: counter.publisher, number: number, tag: ledger.nextTag,
                to: &output[lane])
            ledger.append(ticket: publication.ticket)
        }
    }

    /// Refuses messages that come when there is nowhere to send them.
    ///
    /// - Parameter hold: the reason; nil where the connection, or its channel, is being opened.
    static func refuse(_ tickets: [UInt64], _ hold: String?, into output: inout SessionOutput) {
        let rejection = Rejection(
            kind: .temporary, message: hold ?? "the connection that publishes is not there")
        for ticket in tickets {
            output.append(.publishRefused(ticket: ticket, rejection))
        }
    }

    /// Asks for something that costs the server nothing. One that does not read answers by its next heartbeat.
    mutating func ping(isAsked: Bool, into output: inout SessionOutput) {
        if isAsked { callers += 1 }
        if block == nil { sendPing(isAsked: isAsked, into: &output) }
    }

    private mutating func sendPing(isAsked: Bool, into output: inout SessionOutput) {
        send(.basic(.qos(prefetch: 0)), into: &output)
        expected.append(.pong(isAsked: isAsked))
    }

    /// Asks again for those whose answer will not come.
    private mutating func askAgain(into output: inout SessionOutput) {
        for _ in 0..<callers { sendPing(isAsked: true, into: &output) }
    }

    /// Answers callers of `ping`, as far as there are any.
    private mutating func answer(_ count: Int, into output: inout SessionOutput) {
        let count = min(count, callers)
        callers -= count
        for _ in 0..<count { output.append(.answered) }
    }

    /// Writes a mark to the end of a channel's stream, which is declared before.
    mutating func write(_ mark: StreamMark, into output: inout SessionOutput) {
        if !hasTopology { declareTopology(into: &output) }
        declareStream(mark.channel, into: &output)
        encoder.append(
            mark: mark.name, to: url.stream(of: mark.channel), tag: ledger.nextTag,
            to: &output[lane])
        ledger.append(ticket: nil)
    }

    /// Declares a channel's stream, if channels are kept in streams, before what is published to it first.
    private mutating func declareStream(_ channel: String, into output: inout SessionOutput) {
        guard let streams = url.streams, streamsDeclared.insert(channel).inserted else { return }
        if streamsDeclared.count > Self.mostStreams { streamsDeclared = [channel] }
        send(.queue(streams.declaration(url.stream(of: channel))), into: &output)
        expected.append(.declareStream)
        send(.queue(.bind(url.binding(toStreamOf: channel))), into: &output)
        expected.append(.bindStream)
    }

    // MARK: Answers

    /// Takes what has come on the connection. True if the channel has become open.
    mutating func received(
        _ incoming: AMQPConnection.Incoming, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) -> Bool {
        switch incoming {
        case .opened: opened(into: &output)
        case .blocked(let reason): blocked(reason, at: now, into: &output)
        case .unblocked: unblocked(into: &output)
        case .heartbeat: heartbeat(into: &output)
        case .content(let content, _): try returned(content)
        case .method(let method, Self.channel): return try received(method, into: &output)
        case .method(let method, let channel):
            throw ProtocolError(
                reading: "AMQP, publishing", expected: "channel \(Self.channel)",
                found: "method \(method.id) on channel \(channel)")
        case .rejected, .closed: break
        }
        return false
    }

    /// The connection is there.
    private mutating func opened(into output: inout SessionOutput) {
        encoder = PublishEncoder(exchange: url.exchange, frameLimit: connection.frameLimit)
        openChannel(into: &output)
    }

    /// Takes a method. True if the channel has become open.
    private mutating func received(
        _ method: AMQPMethod, into output: inout SessionOutput
    ) throws(ProtocolError) -> Bool {
        switch method {
        case .basic(.ack(let tag, let multiple)):
            let areKept = url.streams != nil
            var unkept: [UInt64] = []
            try ledger.settle(tag, multiple: multiple) { ticket, receivers in
                if areKept, receivers == 0 {
                    unkept.append(ticket)
                } else {
                    output.append(published: ticket, receivers: receivers)
                }
            }
            if !unkept.isEmpty { refuseUnkept(unkept, into: &output) }
        case .basic(.nack(let tag, let multiple)):
            // An internal error, or a queue of others that refuses what is too much: others may have it.
            try ledger.settle(tag, multiple: multiple) { ticket, _ in
                output.append(
                    .publishLost(ticket: ticket, "the server could not keep it (basic.nack)"))
            }
        case .channel(.flow(let isActive)):
            isHeld = !isActive
            send(.channel(.flowOk(isActive)), into: &output)
        case .channel(.close(let close)): channelClosed(close, into: &output)
        default: return try answered(method, into: &output)
        }
        return false
    }

    /// Refuses messages that found no stream: somebody has deleted it.
    private mutating func refuseUnkept(_ tickets: [UInt64], into output: inout SessionOutput) {
        streamsDeclared = []
        Self.refuse(
            tickets, "the channel's stream was deleted; the next message makes it anew",
            into: &output)
    }

    private mutating func answered(
        _ method: AMQPMethod, into output: inout SessionOutput
    ) throws(ProtocolError) -> Bool {
        switch (expected.removeFirst(), method) {
        case (.openChannel, .channel(.openOk)):
            phase = .open
            return true
        case (.exchange(let reply), .exchange(let method)) where reply.isAnswered(by: method): break
        case (.selectConfirms, .confirm(.selectOk)), (.declareStream, .queue(.declareOk)),
            (.bindStream, .queue(.bindOk)):
            break
        case (.pong(let isAsked), .basic(.qosOk)): answer(isAsked ? 1 : 0, into: &output)
        case (let reply, _):
            throw ProtocolError(
                reading: "AMQP answer, publishing",
                expected: reply.map { "an answer to \($0)" } ?? "nothing, nothing was asked",
                found: "method \(method.id)")
        }
        return false
    }

    /// Takes a message that comes back, since no queue wants it.
    private mutating func returned(_ content: ContentAssembler.Content) throws(ProtocolError) {
        guard case .returned = content.method else {
            throw ProtocolError(
                reading: "AMQP, publishing", expected: "no messages but those that come back",
                found: "method \(AMQPMethod.basic(content.method).id)")
        }
        try ledger.returned(content.header.messageID)
    }

    /// The server has closed the channel, and takes nothing more that was sent on it. It is opened anew.
    private mutating func channelClosed(_ close: AMQPClose, into output: inout SessionOutput) {
        let rejection = Rejection(close)
        let unsettled = ledger.takeUnsettled()
        // Where an exchange is refused, no message was looked at. A single one was at fault, and so was the first where
        // the exchange itself is. Else some may have been published, and their confirms are lost.
        let isRefused =
            close.cause.classID != 60 || unsettled.count == 1
            || !ledger.hasConfirmed && (close.code == 403 || close.code == 404)
        for ticket in unsettled {
            output.append(
                isRefused
                    ? .publishRefused(ticket: ticket, rejection)
                    : .publishLost(ticket: ticket, rejection.message))
        }
        send(.channel(.closeOk), into: &output)
        expected.removeAll()
        openChannel(into: &output)
        askAgain(into: &output)
    }

    /// The messages that have no answer, which will not come.
    mutating func takeUnsettled() -> [UInt64] { ledger.takeUnsettled() }

    // MARK: Blocked

    /// The server has no memory, or no disk, and does not read what we send.
    private mutating func blocked(
        _ reason: String, at now: Instant, into output: inout SessionOutput
    ) {
        let reason = Rejection.printable(reason)
        output.append(.warned("the server takes no messages: \(reason)"))
        if block == nil { block = Block(reason: reason, due: now + publishTimeout) }
    }

    private mutating func unblocked(into output: inout SessionOutput) {
        guard block.take() != nil else { return }
        output.append(.warned("the server takes messages again"))
        askAgain(into: &output)
    }

    /// A heartbeat, which is an answer where no other can come.
    private mutating func heartbeat(into output: inout SessionOutput) {
        if block != nil { answer(callers, into: &output) }
    }

    /// Says goodbye. A connection that is blocked would never answer, since the server does not read from it.
    func close(into output: inout SessionOutput) {
        if isBlocked {
            output.finish(lane)
        } else {
            connection.close(into: &output[lane])
        }
    }

    // MARK: Time

    var deadline: Instant? { [connection.deadline, block?.due].compactMap { $0 }.min() }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        if try connection.timeReached(now, isBlocked: isBlocked, into: &output[lane]), isOpen {
            ping(isAsked: false, into: &output)
        }
        guard let due = block?.due, now >= due else { return }
        block?.due = nil
        for ticket in ledger.takeUnsettled() {
            output.append(
                .publishLost(ticket: ticket, hold ?? "the server does not read"))
        }
    }
}
