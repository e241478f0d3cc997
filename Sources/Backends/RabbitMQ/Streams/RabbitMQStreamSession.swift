import BroadcasterWire

/// One conversation with RabbitMQ where channels are kept in streams: a connection that publishes, also the marks, and one
/// that reads as soon as somebody subscribes or reads.
///
/// Nothing is lost with a connection, so either one's end is the session's: readers go on where they stood.
struct RabbitMQStreamSession: Session {
    private enum Phase: Hashable, Sendable {
        /// Leads to: open, closing.
        case greeting
        /// Leads to: closing.
        case open
        case closing
    }

    private var url: RabbitMQURL
    private let streams: StreamOptions
    private let options: CommonOptions
    private let nonce: String
    private var phase = Phase.greeting
    private var publisher: RabbitMQPublisher?
    private var reader: StreamReader?
    private var isReaderWanted = false
    /// Commands that wait for the connection that reads.
    private var topics: [Topic] = []
    private var requests: [HistoryRequest] = []

    /// - Parameter nonce: for the name of this publisher, and of its marks.
    init(_ url: RabbitMQURL, _ streams: StreamOptions, options: CommonOptions, nonce: String) {
        self.url = url
        self.streams = streams
        self.options = options
        self.nonce = String(nonce.prefix(12))
    }

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        url = url.using(password: peer.password)
        guard lane == .reception else {
            publisher = RabbitMQPublisher(
                url, options: options, lane: lane, counter: ChannelCounter(name: nonce), at: now,
                into: &output)
            return
        }
        var new = StreamReader(
            url, streams, options: options, lane: lane, nonce: nonce, at: now, into: &output)
        new.subscribe(topics, into: &output)
        new.read(requests, into: &output)
        (topics, requests) = ([], [])
        reader = new
    }

    // MARK: Commands

    var intake: PublishIntake { phase == .open ? publisher?.intake ?? .none : .none }

    var hold: String? { publisher?.hold }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let topics):
            reader?.subscribe(topics, into: &output)
            if reader == nil { self.topics += topics }
            connectReader(into: &output)
        case .unsubscribe(let topics):
            reader?.unsubscribe(topics, into: &output)
            if reader == nil { forget(topics, into: &output) }
        case .publish(let publications): publisher?.publish(publications, into: &output)
        case .read(let requests):
            reader?.read(requests, into: &output)
            if reader == nil { self.requests += requests }
            connectReader(into: &output)
        case .ping: publisher?.ping(isAsked: true, into: &output)
        case .close:
            phase = .closing
            reader?.connection.close(into: &output[.reception])
            publisher?.close(into: &output)
        }
        writeMarks(into: &output)
    }

    private mutating func connectReader(into output: inout SessionOutput) {
        guard !isReaderWanted else { return }
        isReaderWanted = true
        output.connect(.reception)
    }

    private mutating func forget(_ topics: [Topic], into output: inout SessionOutput) {
        let left = Set(topics.map(\.id))
        self.topics.removeAll { left.contains($0.id) }
        for topic in topics { output.append(.unsubscribed(topic: topic.id)) }
    }

    /// Writes the marks that the reader waits for. A publisher that is being opened writes them then.
    private mutating func writeMarks(into output: inout SessionOutput) {
        guard let marks = reader?.takeMarks(), publisher?.isOpen == true else { return }
        write(marks, into: &output)
    }

    private mutating func write(_ marks: [StreamMark], into output: inout SessionOutput) {
        for mark in marks { publisher?.write(mark, into: &output) }
    }

    // MARK: What comes

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        if lane == .reception {
            try receiveForReader(&buffer, at: now, into: &output)
        } else {
            try receiveForPublisher(&buffer, at: now, into: &output)
        }
        writeMarks(into: &output)
        if phase == .closing { buffer.consume(upTo: buffer.bytes.count) }
    }

    private mutating func receiveForPublisher(
        _ buffer: inout ReceiveBuffer, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        publisher?.connection.heard(at: now)
        while phase != .closing,
            let incoming = try publisher?.connection.next(&buffer, at: now, into: &output[.main])
        {
            guard try publisher?.received(incoming, at: now, into: &output) == true else {
                try ended(incoming, into: &output)
                continue
            }
            publisherIsOpen(into: &output)
        }
    }

    private mutating func publisherIsOpen(into output: inout SessionOutput) {
        write(reader?.awaitedMarks ?? [], into: &output)
        guard phase == .greeting, let handshake = publisher?.connection.handshake else { return }
        phase = .open
        output.append(.ready(ServerIdentity(handshake)))
    }

    private mutating func receiveForReader(
        _ buffer: inout ReceiveBuffer, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        reader?.connection.heard(at: now)
        while phase != .closing,
            let incoming = try reader?.connection.next(&buffer, at: now, into: &output[.reception])
        {
            switch incoming {
            case .opened: reader?.opened(into: &output)
            case .content(let content, _): try reader?.take(content, into: &output)
            case .method(let method, let channel):
                let outcome = try reader?.received(method, on: channel, into: &output)
                if case .ended(let rejection)? = outcome { end(rejection, into: &output) }
            default: try ended(incoming, into: &output)
            }
        }
        if phase != .closing { reader?.settle(into: &output) }
    }

    /// Ends the session where the server ends a connection.
    private mutating func ended(
        _ incoming: AMQPConnection.Incoming, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch incoming {
        case .rejected(let rejection): end(rejection, into: &output)
        case .closed(let close):
            if close.blamesUs {
                throw ProtocolError("the server blames us: \(Rejection(close).message)")
            }
            end(Rejection(close), into: &output)
        default: break
        }
    }

    private mutating func end(_ rejection: Rejection, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(rejection))
    }

    // MARK: Time

    mutating func wrote(on lane: Lane, at now: Instant) {
        if lane == .main { publisher?.connection.heard(at: now) }
    }

    var deadline: Instant? {
        guard phase != .closing else { return nil }
        return [publisher?.deadline, reader?.connection.deadline].compactMap { $0 }.min()
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard phase != .closing else { return }
        try publisher?.timeReached(now, into: &output)
        try reader?.timeReached(now, into: &output)
    }
}
