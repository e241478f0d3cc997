import BroadcasterWire

/// Finds out whether what LISTEN confirms really comes.
///
/// A pooler in transaction mode accepts LISTEN and then hands the notifications to whoever uses that connection to
/// the server. So the first LISTEN is followed by a notification to ourselves, on a channel that only we know.
/// Sent on our own connection it would come back through such a pooler too, with the answer; so where a pooler
/// is between (the process's number is not the one that it said) it is sent on a second connection.
struct PostgresProbe: Sendable {
    private enum Step: Hashable {
        case idle
        /// The second connection logs in, and waits for the pooler to give it one to the server.
        case connecting(deadline: Instant?)
        /// There is no second connection to be had.
        case givenUp
        /// Our own connection sends it, after what was asked for before.
        case sending
        /// The server has taken the notification. The deadline is set when the session is next told the time.
        case sent(deadline: Instant?)
        /// The second connection got it: the pooler lends out what we listen on.
        case stolen
        case over
    }

    enum Verdict: Hashable {
        case wait
        /// It cannot be found out: the pooler has no second connection for us. Then LISTEN is believed.
        case accepted
        case lost
    }

    let channel: String
    /// There is a pooler between us and the server.
    var isPooled = false
    private let url: PostgresURL
    private let nonce: String
    private var handshake: PostgresHandshake
    private var step = Step.idle
    private var isLoggedIn = false
    /// The server has confirmed LISTEN: what is notified before that comes to nobody.
    private var isListening = false
    /// When the second connection was asked for.
    private var begunAt: Instant?

    /// How long the notification may take; the second connection before it may take twice as long.
    private static let patience: Duration = .seconds(2)
    /// Where all is slow, it may take so many times what the second connection took: a busy machine is no pooler. Both
    /// together stay below what the core waits for a subscription.
    private static let paces = 6
    private static let longestPatience: Duration = .seconds(5)

    init(_ url: PostgresURL, nonce: String) {
        self.url = url
        self.nonce = nonce
        channel = "broadcaster_probe_\(nonce.prefix(24))"
        handshake = PostgresHandshake(url, nonce: String(nonce.reversed()))
    }

    var isIdle: Bool { step == .idle }
    var isOver: Bool { step == .over }

    /// True if a second connection sends the notification; else the caller does.
    mutating func begin(into output: inout SessionOutput) -> Bool {
        step = isPooled ? .connecting(deadline: nil) : .sending
        guard isPooled else { return false }
        handshake = PostgresHandshake(url, nonce: String(nonce.reversed()))
        isLoggedIn = false
        isListening = false
        begunAt = nil
        output.connect(.probe)
        return true
    }

    /// The notification, as a transaction of its own.
    func notify(into bytes: inout [UInt8]) {
        PostgresPublisher.append(Array(nonce.utf8), to: Array(channel.utf8), into: &bytes)
        ClientMessage.sync.append(to: &bytes)
    }

    /// True if that was what was waited for.
    mutating func returned() -> Bool {
        switch step {
        case .idle, .over: return false
        case .connecting, .givenUp, .sending, .sent, .stolen:
            step = .over
            return true
        }
    }

    /// The server has answered our own connection's notification.
    mutating func notified() {
        if step == .sending { step = .sent(deadline: nil) }
    }

    // MARK: The second connection

    /// LISTEN, or UNLISTEN, has been carried out on the first one.
    mutating func confirmed(into output: inout SessionOutput) {
        guard case .connecting = step else { return }
        isListening = true
        notifyIfReady(into: &output)
    }

    private func notifyIfReady(into output: inout SessionOutput) {
        if isLoggedIn, isListening { notify(into: &output[.probe]) }
    }

    func opened(into output: inout SessionOutput) {
        handshake.start(into: &output[.probe])
    }

    mutating func received(
        _ message: ServerMessage, into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard isLoggedIn else {
            switch try handshake.received(message, into: &output[.probe]) {
            case .goOn: break
            case .rejected: giveUp(into: &output)
            case .done:
                isLoggedIn = true
                notifyIfReady(into: &output)
            }
            return
        }
        switch message {
        case .errorResponse: giveUp(into: &output)
        case .notification(_, let channel, _) where channel.elementsEqual(self.channel.utf8):
            step = .stolen
            leave(into: &output)
        case .readyForQuery:
            if case .connecting = step { step = .sent(deadline: nil) }
            leave(into: &output)
        default: break
        }
    }

    private mutating func giveUp(into output: inout SessionOutput) {
        lost()
        leave(into: &output)
    }

    /// The second connection is gone, or never was.
    mutating func lost() {
        if case .connecting = step { step = .givenUp }
    }

    private func leave(into output: inout SessionOutput) {
        ClientMessage.terminate.append(to: &output[.probe])
        output.finish(.probe)
    }

    // MARK: Time

    /// The session must be told the time at once.
    var wantsTime: Bool {
        switch step {
        case .connecting(nil), .sent(nil), .givenUp, .stolen: true
        default: handshake.hasWork
        }
    }

    var deadline: Instant? {
        switch step {
        case .connecting(let deadline), .sent(let deadline): deadline
        case .idle, .givenUp, .sending, .stolen, .over: nil
        }
    }

    mutating func timeReached(_ now: Instant, into output: inout SessionOutput) -> Verdict {
        handshake.work(into: &output[.probe])
        switch step {
        case .connecting(nil):
            begunAt = now
            step = .connecting(deadline: now + PostgresProbe.patience * 2)
        case .sent(nil):
            let pace = begunAt.map { now - $0 } ?? .zero
            let patience = min(
                max(PostgresProbe.patience, pace * PostgresProbe.paces),
                PostgresProbe.longestPatience)
            step = .sent(deadline: now + patience)
        case .stolen:
            step = .idle
            return .lost
        case .connecting(let deadline?) where now >= deadline:
            step = .over
            output.finish(.probe)
            return .accepted
        case .givenUp:
            step = .over
            return .accepted
        case .sent(let deadline?) where now >= deadline:
            step = .idle
            return .lost
        case .connecting, .sending, .sent, .idle, .over: break
        }
        return .wait
    }
}
