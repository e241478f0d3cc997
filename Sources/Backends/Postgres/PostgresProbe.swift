import BroadcasterWire

/// Finds out whether what LISTEN confirms really comes.
///
/// A pooler in transaction mode accepts LISTEN and then hands the notifications to whoever uses that connection to
/// the server. So where a pooler is between (the process's number is not the one that it said), the first LISTEN is
/// followed by a notification to ourselves, on a channel that only we know. It is sent on a second connection: on our
/// own it would come back through such a pooler too, with the answer.
///
/// A notification that the server does not take says nothing of the pooler: the user may have no right to notify, or
/// the queue is full. Then LISTEN is believed.
struct PostgresProbe: Sendable {
    private enum Step: Hashable {
        case idle
        /// The second connection logs in, and waits for the pooler to give it one to the server.
        case connecting(deadline: Instant?)
        /// The notification cannot be sent.
        case givenUp
        /// The server has taken the notification. The deadline is set when the session is next told the time.
        case sent(deadline: Instant?)
        /// The second connection got it: the pooler lends out what we listen on.
        case stolen
        case over
    }

    enum Verdict: Hashable {
        case wait
        /// It cannot be found out: there is no second connection, or the server does not take the notification.
        case accepted
        case lost
    }

    let channel: String
    /// There is a pooler between us and the server.
    var isPooled = false
    private let url: PostgresURL
    private let nonce: String
    private var handshake: PostgresHandshake
    private var cancellation: PostgresCancellation
    private var step = Step.idle
    /// The second connection is there.
    private var isOpen = false
    private var isLoggedIn = false
    /// The server has the notification, and has not answered.
    private var isNotifying = false
    /// The server has confirmed LISTEN: what is notified before that comes to nobody.
    private var isListening = false
    /// The moment at which the second connection was asked for.
    private var begunAt: Instant?

    /// The longest time for the notification; the second connection before it may take twice as long.
    private static let patience: Duration = .seconds(2)
    /// The notification may take so many times what the second connection took: a busy machine is no pooler. Both
    /// together stay below what the core waits for a subscription.
    private static let paces = 6
    private static let longestPatience: Duration = .seconds(5)

    init(_ url: PostgresURL, nonce: String) {
        self.url = url
        self.nonce = nonce
        channel = "broadcaster_probe_\(nonce.prefix(24))"
        handshake = PostgresHandshake(url, nonce: String(nonce.reversed()))
        cancellation = PostgresCancellation(
            on: .probeCancellation, answerWithin: PostgresProbe.patience)
    }

    var isIdle: Bool { step == .idle }
    /// True if LISTEN is to be believed: nobody stands between, or what does has been looked at.
    var isOver: Bool { step == .over || !isPooled }
    /// True if the first answer of the second connection is still to come.
    var isUnanswered: Bool { handshake.isUnanswered }

    mutating func begin(into output: inout SessionOutput) {
        step = .connecting(deadline: nil)
        handshake = PostgresHandshake(url, nonce: String(nonce.reversed()))
        isLoggedIn = false
        isListening = false
        begunAt = nil
        output.connect(.probe)
    }

    /// True if that was what was waited for.
    mutating func returned() -> Bool {
        switch step {
        case .idle, .over: return false
        case .connecting, .givenUp, .sent, .stolen:
            step = .over
            return true
        }
    }

    // MARK: The second connection

    /// LISTEN, or UNLISTEN, has been carried out on the first one.
    mutating func confirmed(into output: inout SessionOutput) {
        guard case .connecting = step else { return }
        isListening = true
        notifyIfReady(into: &output)
    }

    /// Sends the notification, as a transaction of its own.
    private mutating func notifyIfReady(into output: inout SessionOutput) {
        guard isLoggedIn, isListening else { return }
        isNotifying = true
        PostgresPublisher.append(
            Array(nonce.utf8), to: Array(channel.utf8), into: &output[.probe])
        ClientMessage.sync.append(to: &output[.probe])
    }

    mutating func opened(_ lane: Lane, to peer: PeerInfo, into output: inout SessionOutput) {
        guard lane == .probe else { return cancellation.opened(into: &output) }
        isOpen = true
        handshake.start(with: peer, into: &output[.probe])
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
                cancellation.learn(process: handshake.process, key: handshake.secret)
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

    /// The server does not take the notification, or what it needs.
    mutating func giveUp(into output: inout SessionOutput) {
        if case .connecting = step { step = .givenUp }
        leave(into: &output)
    }

    /// The second connection is gone, or never was.
    mutating func lost(_ lane: Lane) {
        guard lane == .probe else { return }
        isOpen = false
        if case .connecting = step { step = .givenUp }
    }

    private mutating func leave(into output: inout SessionOutput) {
        if isOpen { ClientMessage.terminate.append(to: &output[.probe]) }
        isOpen = false
        isNotifying = false
        output.finish(.probe)
    }

    /// The notification takes too long. The pooler knows the request to cancel it only while the connection is there:
    /// the answer ends that.
    private mutating func abandon(into output: inout SessionOutput) {
        if isNotifying { cancellation.cancel(into: &output) } else { leave(into: &output) }
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
        case .idle, .givenUp, .stolen, .over: nil
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
            abandon(into: &output)
            return .accepted
        case .givenUp:
            step = .over
            return .accepted
        case .sent(let deadline?) where now >= deadline:
            step = .idle
            return .lost
        case .connecting, .sent, .idle, .over: break
        }
        return .wait
    }
}
