import BroadcasterWire

/// Sends our heartbeats, and decides when the server is asked for a sign of life and when it is given up. A pure value.
///
/// Both sides send heartbeats at half of the agreed time (§4.2.7). They cost 8 bytes, so they go out whether or not
/// anything else has.
struct SignOfLife: Sendable {
    private let interval: Duration
    private var silence: Heartbeat
    private var lastHeard: Instant?
    /// The agreed time; nil where heartbeats are off.
    private var agreed: Duration?
    private var nextBeat: Instant?

    /// - Parameter interval: the longest silence before the server is asked.
    init(interval: Duration) {
        self.interval = interval
        silence = Heartbeat(interval: interval)
    }

    /// - Parameter heartbeat: seconds; 0 is none.
    mutating func start(heartbeat: UInt16, at now: Instant) {
        silence.start(at: now)
        lastHeard = now
        guard heartbeat > 0 else { return }
        agreed = .seconds(Int(heartbeat))
        nextBeat = now + .seconds(Int(heartbeat)) / 2
    }

    mutating func heard(at now: Instant) {
        silence.heard()
        lastHeard = now
    }

    var deadline: Instant? { [silence.deadline, nextBeat].compactMap { $0 }.min() }

    /// Returns true if the server is to be asked.
    ///
    /// - Parameter isBlocked: the server answers nothing on this connection. Only its heartbeats count then, as often as
    ///   they were agreed on.
    mutating func timeReached(
        _ now: Instant, isBlocked: Bool, into bytes: inout [UInt8]
    ) throws(ProtocolError) -> Bool {
        if let beat = nextBeat, now >= beat, let agreed {
            bytes += AMQPFrame.heartbeat
            nextBeat = now + agreed / 2
        }
        switch silence.timeReached(now) {
        case .wait: return false
        case .ask: return !isBlocked
        case .dead where isBlocked && !isOverdue(at: now):
            silence.start(at: now)
            return false
        case .dead:
            throw ProtocolError(silence: "the server is silent: nothing came for \(interval)")
        }
    }

    /// Nothing has come for twice the agreed time.
    private func isOverdue(at now: Instant) -> Bool {
        guard let agreed, let lastHeard else { return false }
        return now - lastHeard > agreed * 2
    }
}
