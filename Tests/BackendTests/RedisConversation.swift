import BroadcasterTestSupport
import BroadcasterWire

/// A session with a Redis server whose answers the test writes, on any lane, and a clock that the test moves.
struct RedisConversation {
    var session: any Session
    var output = SessionOutput()
    var now = Instant.now
    private var buffers: [Lane: ReceiveBuffer] = [:]
    private(set) var events: [String] = []
    private(set) var rejections: [Rejection] = []

    /// Opens the main lane.
    init(_ url: String = "redis://h") throws {
        self.init(try redisSession(url), to: .test)
    }

    /// Opens the main lane of another session, to this server.
    init(_ session: any Session, to peer: PeerInfo) {
        self.session = session
        open(.main, to: peer)
    }

    mutating func open(_ lane: Lane, to peer: PeerInfo = .test) {
        buffers[lane] = ReceiveBuffer()
        session.opened(lane, to: peer, at: now, into: &output)
        collect()
    }

    /// Moves the clock, and does what is due then.
    mutating func wait(_ time: Duration) throws {
        now = now + time
        if let due = session.deadline, now >= due {
            try session.timeReached(now, into: &output)
            collect()
        }
    }

    mutating func answer(_ text: String, on lane: Lane = .main) throws {
        buffers[lane, default: ReceiveBuffer()].append(text.utf8)
        try session.receive(
            &buffers[lane, default: ReceiveBuffer()], on: lane, at: now, into: &output)
        collect()
    }

    mutating func perform(_ command: Command) {
        session.perform(command, at: now, into: &output)
        collect()
    }

    /// Ends a lane, as a server does that closes it.
    mutating func lose(_ lane: Lane) -> LaneLoss {
        defer { collect() }
        return session.lost(
            lane, .lost("the server closed the connection"), at: now, into: &output)
    }

    /// The words of the commands sent since the last call, a blank between them.
    mutating func sent(on lane: Lane = .main) -> String {
        defer { output[lane] = [] }
        return String(decoding: output[lane], as: UTF8.self).split(separator: "\r\n")
            .filter { $0.first != "*" && $0.first != "$" }.joined(separator: " ")
    }

    /// The lanes that the session wants, since the last call.
    mutating func wishes() -> [Lane] {
        output.takeConnections().map(\.lane)
    }

    private mutating func collect() {
        for event in output.takeEvents() {
            events += TranscriptLine.event(event) { _ in .channel("c") }
            if case .rejected(let rejection) = event { rejections.append(rejection) }
        }
    }
}
