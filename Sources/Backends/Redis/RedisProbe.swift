import BroadcasterWire

/// Finds out whether what is published still arrives, which no PING tells.
///
/// A proxy may lead PUBLISH and SUBSCRIBE to different servers, or swallow what a server pushes. So a session that
/// has subscribers and has seen no message for `ping` subscribes to a channel of its own, publishes to
/// it, and is given up when that does not come back. Where a user's rights (ACL) do not allow the
/// channel there is no probe, and PING has to do. The channel is left with the last of the others.
struct RedisProbe: Sendable {
    private enum Step: Hashable {
        /// Leads to: subscribing.
        case off
        /// Leads to: on, refused.
        case subscribing
        /// Leads to: leaving, refused.
        case on
        /// Leads to: off.
        case leaving
        /// The last step: the session goes on without a probe.
        case refused
    }

    enum Action: Hashable {
        case wait
        case subscribe
        case publish
    }

    /// All probes' channels begin so: subscribers to a pattern do not see them.
    static let prefix = "broadcaster_probe_"

    let topic: Topic
    private var step = Step.off
    private var arrival: Heartbeat
    /// The server has answered our PUBLISH. Where it has not, it is slow or silent: PING's affair.
    private var isAccepted = false
    private let interval: Duration

    /// - Parameter nonce: what makes the channel this session's own.
    init(nonce: String, interval: Duration) {
        topic = Topic(id: -1, name: .channel(RedisProbe.prefix + nonce))
        arrival = Heartbeat(interval: interval)
        self.interval = interval
    }

    /// A message has come, be it ours or anybody's.
    mutating func arrived() {
        arrival.heard()
    }

    mutating func subscribed() {
        step = .on
    }

    mutating func accepted() {
        isAccepted = true
    }

    /// The last of the other channels was left. True if the probe's is to be left too.
    mutating func leave() -> Bool {
        guard step == .on else { return false }
        step = .leaving
        return true
    }

    mutating func unsubscribed() {
        if step == .leaving { step = .off }
    }

    mutating func refuse() {
        step = .refused
    }

    // MARK: Time

    /// - Parameter past: a moment that has passed, for what is due at once.
    func deadline(past: Instant) -> Instant? {
        step == .refused ? nil : arrival.deadline ?? past
    }

    /// - Parameter isNeeded: there are channels beside the probe's.
    mutating func timeReached(_ now: Instant, isNeeded: Bool) throws(ProtocolError) -> Action {
        guard step != .refused else { return .wait }
        if arrival.deadline == nil { arrival.start(at: now) }
        if !isNeeded || step == .leaving { arrival.heard() }
        switch arrival.timeReached(now) {
        case .wait: return .wait
        case .ask where step == .on:
            isAccepted = false
            return .publish
        case .ask where step == .off:
            isAccepted = false
            step = .subscribing
            return .subscribe
        case .ask: return .wait
        case .dead where step == .subscribing || !isAccepted:
            arrival.start(at: now)
            return .wait
        case .dead:
            throw ProtocolError(
                silence: "what is published does not come back to us: the server answers, but no"
                    + " message has arrived for \(interval)")
        }
    }
}
