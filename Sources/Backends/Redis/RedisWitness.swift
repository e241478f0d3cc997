import BroadcasterWire

/// Finds out whether a server that is silent behind a PUBLISH holds it back, as it does while writes are paused.
///
/// Redis (6.2 and later) holds back PUBLISH under `CLIENT PAUSE … WRITE` and during a failover, and with it all that the
/// same client has sent after it, PING too. The witness is another connection to the server, made when PING is late: where
/// PING is answered there and a PUBLISH behind it is not, the server lives, and the silence is a pause. Where PUBLISH is
/// answered, or nothing is, the connection that is silent is given up as any other.
struct RedisWitness: Sendable {
    private enum Step: Hashable {
        /// Leads to: called.
        case off
        /// Leads to: asked, useless.
        case called
        /// Leads to: held, useless.
        case asked(at: Instant)
        /// PING was answered, after `delay`. Leads to: useless.
        case held(since: Instant, delay: Duration)
        /// It says nothing for us.
        case useless
    }

    private let channel: String
    private var step = Step.off
    private var decoder = RESPDecoder(limits: RESPDecoder.Limits(stringLength: 65_536))
    /// Answers that come before PING's.
    private var before = 0

    /// - Parameter channel: one that this session alone uses.
    init(channel: String) {
        self.channel = channel
    }

    /// Calls the witness, where it has not been called since it was dismissed.
    mutating func call(into output: inout SessionOutput) {
        guard step == .off else { return }
        step = .called
        output.connect(.witness)
    }

    mutating func opened(_ login: RedisLogin?, at now: Instant, into output: inout SessionOutput) {
        decoder = RESPDecoder(limits: RESPDecoder.Limits(stringLength: 65_536))
        before = login == nil ? 0 : 1
        if let login { RESPEncoder.command(login.command, to: &output[.witness]) }
        RESPEncoder.command(["PING"], to: &output[.witness])
        RESPEncoder.command(["PUBLISH", channel, ""], to: &output[.witness])
        step = .asked(at: now)
    }

    /// Takes what comes on its lane. Nothing of that is a fault of the session.
    mutating func receive(_ buffer: inout ReceiveBuffer, at now: Instant) {
        do throws(ProtocolError) {
            while let value = try decoder.next(&buffer) { receive(value.plain, at: now) }
        } catch {
            step = .useless
            buffer.consume(upTo: buffer.bytes.count)
        }
    }

    private mutating func receive(_ value: RESPValue, at now: Instant) {
        switch (step, value) {
        case (.asked, .simpleString) where before > 0: before -= 1
        case (.asked(let asked), .simpleString): step = .held(since: now, delay: now - asked)
        default: step = .useless
        }
    }

    mutating func lost() {
        if step != .off { step = .useless }
    }

    /// True if the server lives and has not answered PUBLISH, for at least as long as PING took.
    func isHeld(at now: Instant) -> Bool {
        if case .held(let since, let delay) = step { now - since >= delay } else { false }
    }

    /// Lets the witness go: the next question is asked anew.
    mutating func dismiss(into output: inout SessionOutput) {
        guard step != .off else { return }
        step = .off
        output.finish(.witness)
    }
}
