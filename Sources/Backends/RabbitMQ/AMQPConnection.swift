import BroadcasterWire

/// One of the session's connections: its frames, its login, its signs of life. A pure value.
struct AMQPConnection: Sendable {
    /// Something that came, and that the connection does not see to itself.
    enum Incoming: Sendable {
        case opened
        case rejected(Rejection)
        /// The server ends the connection.
        case closed(AMQPClose)
        case blocked(String)
        case unblocked
        /// A sign of life without content.
        case heartbeat
        case method(AMQPMethod, channel: UInt16)
        case content(ContentAssembler.Content, channel: UInt16)
    }

    let lane: Lane
    private(set) var handshake: AMQPHandshake
    private var contents: [UInt16: ContentAssembler]
    private var life: SignOfLife
    /// The moment at which the login must be over.
    private let greetingDue: Instant

    /// - Parameter channels: those on which messages come, each with the most bytes of one that are kept.
    init(
        _ url: RabbitMQURL, lane: Lane, options: CommonOptions, contents channels: [UInt16: Int],
        at now: Instant, into bytes: inout [UInt8]
    ) {
        self.lane = lane
        handshake = AMQPHandshake(url, interval: options.pingInterval)
        contents = channels.mapValues { ContentAssembler(limit: $0) }
        life = SignOfLife(interval: options.pingInterval)
        greetingDue = now + options.connectTimeout
        bytes += AMQPFrame.protocolHeader
    }

    var isOpen: Bool { handshake.isDone }
    var frameLimit: Int { Int(handshake.tuning.frame) }

    /// True if no message on `channel` has begun.
    func isBetweenMessages(on channel: UInt16) -> Bool { contents[channel]?.isIdle ?? false }

    mutating func heard(at now: Instant) {
        life.heard(at: now)
    }

    // MARK: What comes

    /// Takes the next thing out of the buffer. nil: more bytes are needed.
    mutating func next(
        _ buffer: inout ReceiveBuffer, at now: Instant, into bytes: inout [UInt8]
    ) throws(ProtocolError) -> Incoming? {
        let received = buffer.bytes
        if let refusal = versionRefusal(in: received, buffer.start) { return refusal }
        if isProtocolHeader(received, buffer.start) { return nil }
        while let frame = try AMQPFrame.next(
            in: received.span, at: buffer.start, limit: isOpen ? frameLimit : AMQPFrame.usualLimit)
        {
            buffer.consume(upTo: frame.end)
            if let incoming = try take(frame, received[frame.payload], at: now, into: &bytes) {
                return incoming
            }
        }
        return nil
    }

    /// True if a protocol header has begun.
    private func isProtocolHeader(_ received: [UInt8], _ start: Int) -> Bool {
        let name = received[start...].prefix(4)
        return handshake.isUnanswered && !name.isEmpty && "AMQP".utf8.starts(with: name)
    }

    /// A server that does not speak this version answers by the header of one that it does (§2.2.4).
    private func versionRefusal(in received: [UInt8], _ start: Int) -> Incoming? {
        guard isProtocolHeader(received, start), received.count - start >= 8 else { return nil }
        let version = received[start + 5..<start + 8].map(String.init).joined(separator: "-")
        return .rejected(
            Rejection(kind: .permanent, message: "the server speaks AMQP \(version), not 0-9-1"))
    }

    private mutating func take(
        _ frame: AMQPFrame.Header, _ payload: ArraySlice<UInt8>, at now: Instant,
        into bytes: inout [UInt8]
    ) throws(ProtocolError) -> Incoming? {
        let channel = frame.channel
        switch frame.kind {
        case .heartbeat: return isOpen ? .heartbeat : nil
        case .header:
            return try content(of: channel, "a header") { (content) throws(ProtocolError) in
                try content.header(payload)
            }
        case .body:
            return try content(of: channel, "a body") { (content) throws(ProtocolError) in
                try content.body(payload)
            }
        case .method:
            let method = try AMQPMethod(payload)
            if case .connection(let method) = method {
                return try take(method, at: now, into: &bytes)
            }
            guard isOpen, contents[channel]?.isIdle ?? (channel > 0) else {
                throw contents[channel]?.unexpected("method \(method.id)")
                    ?? ProtocolError(
                        reading: "AMQP channel 0", expected: "methods of the connection",
                        found: "method \(method.id)")
            }
            guard case .basic(let content) = method, content.bringsMessage else {
                return .method(method, channel: channel)
            }
            guard contents[channel] != nil else {
                throw ContentAssembler.stray(channel, "a message")
            }
            try contents[channel]?.begin(content)
            return nil
        }
    }

    private mutating func content(
        of channel: UInt16, _ what: String,
        _ body: (inout ContentAssembler) throws(ProtocolError) -> ContentAssembler.Content?
    ) throws(ProtocolError) -> Incoming? {
        guard isOpen, var content = contents.removeValue(forKey: channel) else {
            throw ContentAssembler.stray(channel, what)
        }
        // Taken out and put back, so that its bytes are not copied.
        defer { contents[channel] = content }
        return try body(&content).map { .content($0, channel: channel) }
    }

    private mutating func take(
        _ method: ConnectionMethod, at now: Instant, into bytes: inout [UInt8]
    ) throws(ProtocolError) -> Incoming? {
        switch method {
        case .close(let close):
            return isOpen ? .closed(close) : .rejected(Rejection(close, isLogin: true))
        case .blocked(let reason) where isOpen: return .blocked(reason)
        case .unblocked where isOpen: return .unblocked
        default: break
        }
        switch try handshake.received(method, into: &bytes) {
        case .goOn: return nil
        case .rejected(let rejection): return .rejected(rejection)
        case .done:
            life.start(heartbeat: handshake.tuning.heartbeat, at: now)
            return .opened
        }
    }

    // MARK: Time

    var deadline: Instant? { isOpen ? life.deadline : greetingDue }

    /// Sends a heartbeat where one is due. Returns true if the server is to be asked for a sign of life.
    ///
    /// - Parameter isBlocked: whether the server does not read what it is asked.
    mutating func timeReached(
        _ now: Instant, isBlocked: Bool, into bytes: inout [UInt8]
    ) throws(ProtocolError) -> Bool {
        guard isOpen else {
            if now < greetingDue { return false }
            throw ProtocolError(silence: "the server did not finish the login in time")
        }
        return try life.timeReached(now, isBlocked: isBlocked, into: &bytes)
    }

    /// Says goodbye.
    func close(into bytes: inout [UInt8]) {
        if isOpen { AMQPMethod.connection(.close(.goodbye)).append(on: 0, to: &bytes) }
    }
}

extension BasicMethod {
    /// A header and a body follow.
    var bringsMessage: Bool {
        switch self {
        case .deliver, .returned: true
        default: false
        }
    }
}

extension ContentAssembler {
    /// Something of a message came where none can be.
    static func stray(_ channel: UInt16, _ found: String) -> ProtocolError {
        ProtocolError(
            reading: "AMQP channel \(channel)", expected: "no messages", found: found)
    }
}
