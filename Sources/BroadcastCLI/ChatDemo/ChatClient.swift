import BroadcasterSockets

/// One connection of a browser or of curl: reads its request, then carries a WebSocket, an event stream or one
/// answer.
///
/// The actor lives on the event loop, as the library's own runner does. Its input and its unsent bytes are bounded:
/// it stops reading while `inbox` is full, and `send` waits while the client does not read.
actor ChatClient {
    private enum Phase {
        /// Leads to: serving (the request is whole), closing.
        case request(HTTPParser)
        /// The server is making an answer; `rest` came after the request.
        case serving(rest: [UInt8])
        case webSocket(WebSocketDecoder)
        case eventStream
        /// The server has said everything; unsent bytes still go out.
        case closing
        case closed
    }

    private nonisolated let loop: EventLoop
    private nonisolated let socket: Socket
    private nonisolated let route: @Sendable (ChatClient, HTTPRequest) -> Void
    private nonisolated let ended: @Sendable () -> Void
    private var phase = Phase.request(HTTPParser())
    private var registration: EventLoop.Registration?
    private var interest: Readiness = .readable
    private var unsent: [UInt8] = []
    private var inbox: [[UInt8]] = []
    private var inboxHasEnded = false
    private var receiver: CheckedContinuation<[UInt8]?, Never>?
    private var senders: [CheckedContinuation<Void, Never>] = []
    private var timer: EventLoop.Timer?
    private var silentTicks = 0
    private var stalledTicks = 0

    /// The most messages of a client that wait to be published; beyond it the server reads nothing more.
    private static let inboxLimit = 16
    /// The most bytes that a client has not read; beyond it `send` waits, and the subscription's buffer fills.
    private static let unsentLimit = 262_144
    /// The interval of the checks. A request takes one tick at most; a WebSocket is pinged after two silent ones and
    /// given up after four; a client that reads nothing is given up after three.
    private static let tick: Duration = .seconds(10)

    init(
        _ socket: Socket, on loop: EventLoop,
        route: @escaping @Sendable (ChatClient, HTTPRequest) -> Void,
        ended: @escaping @Sendable () -> Void
    ) {
        self.socket = socket
        self.loop = loop
        self.route = route
        self.ended = ended
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe loop.asUnownedSerialExecutor()
    }

    func start() {
        do throws(SocketError) {
            registration = try loop.watch(socket, for: interest) { [weak self] readiness in
                self?.assumeIsolated { $0.ready(readiness) }
            }
            schedule()
        } catch {
            end()
        }
    }

    // MARK: Input

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard !readiness.isDisjoint(with: [.readable, .failed]) else { return }
        // The client is gone while the server does not read from it: there is nothing left to wait for.
        guard interest.contains(.readable) else { return end() }
        var bytes: [UInt8] = []
        do throws(SocketError) {
            switch try socket.read(to: &bytes, limit: 16_384) {
            case .bytes: received(bytes)
            case .wouldBlock: break
            case .end: end()
            }
        } catch {
            end()
        }
    }

    private func received(_ bytes: [UInt8]) {
        silentTicks = 0
        switch phase {
        case .request(var parser):
            do throws(HTTPError) {
                let request = try parser.receive(bytes)
                phase = .request(parser)
                if let request {
                    phase = .serving(rest: parser.rest)
                    route(self, request)
                }
            } catch {
                answer(HTTPResponse.error(error))
            }
        case .webSocket(var decoder):
            do throws(WebSocketError) {
                let events = try decoder.receive(bytes)
                phase = .webSocket(decoder)
                for event in events { take(event) }
                watch()
            } catch {
                close(error.code, error.reason)
            }
        case .serving, .eventStream, .closing, .closed: break
        }
    }

    private func take(_ event: WebSocketEvent) {
        switch event {
        case .text(let bytes), .binary(let bytes): hand(bytes)
        case .ping(let payload): tell(WebSocketEncoder.pong(payload))
        case .pong: break
        case .close(let code): close(code ?? 1000)
        }
    }

    private func hand(_ bytes: [UInt8]) {
        if let waiting = receiver.take() {
            waiting.resume(returning: bytes)
        } else {
            inbox.append(bytes)
        }
    }

    /// Returns the client's next message, or nil when there will be none.
    func receive() async -> [UInt8]? {
        if !inbox.isEmpty {
            defer { watch() }
            return inbox.removeFirst()
        }
        if inboxHasEnded { return nil }
        return await withCheckedContinuation { receiver = $0 }
    }

    // MARK: Output

    /// Sends the one answer to a request, and ends the connection after it.
    func answer(_ response: [UInt8]) {
        write(response)
        finish()
    }

    func upgrade(_ response: [UInt8]) {
        guard case .serving(let rest) = phase else { return }
        phase = .webSocket(WebSocketDecoder())
        write(response)
        if !rest.isEmpty { received(rest) }
    }

    func startEventStream() {
        guard case .serving = phase else { return }
        phase = .eventStream
        write(HTTPResponse.eventStream)
    }

    /// Sends to a WebSocket, if this is one, without waiting.
    func tell(_ frame: [UInt8]) {
        guard case .webSocket = phase, unsent.count <= ChatClient.unsentLimit else { return }
        write(frame)
    }

    /// Sends, and waits while the client reads more slowly. Returns false if the client is gone.
    func send(_ bytes: [UInt8]) async -> Bool {
        write(bytes)
        if unsent.count > ChatClient.unsentLimit, isOpen {
            await withCheckedContinuation { senders.append($0) }
        }
        return isOpen
    }

    /// Ends a WebSocket with a code and its reason, or an event stream.
    func close(_ code: UInt16, _ reason: String = "") {
        if case .webSocket = phase { write(WebSocketEncoder.close(code, reason)) }
        finish()
    }

    private var isOpen: Bool {
        switch phase {
        case .closing, .closed: false
        default: true
        }
    }

    private func write(_ bytes: [UInt8]) {
        guard isOpen else { return }
        unsent += bytes
        flush()
    }

    private func flush() {
        do throws(SocketError) {
            var taken = 0
            while taken < unsent.count {
                let count = try socket.write(unsent, from: taken)
                if count == 0 { break }
                taken += count
                stalledTicks = 0
            }
            unsent.removeFirst(taken)
        } catch {
            return end()
        }
        if unsent.count <= ChatClient.unsentLimit { resumeSenders() }
        if case .closing = phase, unsent.isEmpty { socket.finishWriting() }
        watch()
    }

    private func watch() {
        guard let registration else { return }
        var wanted: Readiness = unsent.isEmpty ? [] : .writable
        if inbox.count < ChatClient.inboxLimit, unsent.count <= ChatClient.unsentLimit {
            wanted.insert(.readable)
        }
        guard wanted != interest else { return }
        interest = wanted
        try? loop.change(registration, to: wanted)
    }

    // MARK: Time

    private func schedule() {
        timer = loop.schedule(at: .now + ChatClient.tick) { [weak self] in
            self?.assumeIsolated { $0.tickPassed() }
        }
    }

    private func tickPassed() {
        silentTicks += 1
        if !unsent.isEmpty { stalledTicks += 1 }
        switch phase {
        case .request: answer(HTTPResponse.error(.requestTimeout))
        case .closing, .closed: return end()
        case .webSocket where silentTicks >= 4: return end()
        case .webSocket where silentTicks == 2: write(WebSocketEncoder.ping())
        // Finds a client that is gone, by a comment, which no client shows.
        case .eventStream: write(Array(": still here\n\n".utf8))
        case .serving, .webSocket: break
        }
        if stalledTicks >= 3 { return end() }
        schedule()
    }

    // MARK: The end

    /// Ends the input; unsent bytes go out until the next tick.
    private func finish() {
        guard isOpen else { return }
        phase = .closing
        endInbox()
        resumeSenders()
        flush()
    }

    private func end() {
        if case .closed = phase { return }
        phase = .closed
        if let registration = registration.take() { loop.unwatch(registration) }
        if let timer = timer.take() { loop.cancel(timer) }
        unsent = []
        endInbox()
        resumeSenders()
        ended()
    }

    private func endInbox() {
        inboxHasEnded = true
        receiver.take()?.resume(returning: nil)
    }

    private func resumeSenders() {
        for sender in senders { sender.resume() }
        senders = []
    }
}
