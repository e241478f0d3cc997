import BroadcasterWire

/// The question to a sentinel: where the master is, and which other sentinels there are. A session begins with it, and ends
/// by the answers.
struct SentinelInquiry: Sendable {
    private let service: String
    private let login: RedisLogin?
    private var decoder = RESPDecoder(limits: RESPDecoder.Limits(stringLength: 65_536))
    private var isLoggingIn: Bool
    /// The moment at which another sentinel is asked; nil where there is none, or the answer has come.
    private(set) var deadline: Instant?
    /// The event of the first answer, while the second is due.
    private var found: Event?
    /// The other sentinels that this one has named.
    private(set) var others: [Endpoint] = []

    /// A sentinel that hangs must not cost the time that the others need.
    private static let patience: Duration = .seconds(1)

    init(about service: String, _ login: RedisLogin?) {
        self.service = service
        self.login = login
        isLoggingIn = login != nil
    }

    /// - Parameter hasOthers: there are other sentinels to ask.
    mutating func opened(hasOthers: Bool, at now: Instant, into output: inout SessionOutput) {
        if let login { RESPEncoder.command(login.command, to: &output[.main]) }
        RESPEncoder.command(SentinelWord.askForMaster(service), to: &output[.main])
        RESPEncoder.command(SentinelWord.askForSentinels(service), to: &output[.main])
        if hasOthers { deadline = now + SentinelInquiry.patience }
    }

    /// Takes what the sentinel says. The result is the event that ends the session; nil where more has to come.
    mutating func receive(_ buffer: inout ReceiveBuffer) -> Event? {
        do throws(ProtocolError) {
            while let value = try decoder.next(&buffer) {
                if let event = take(value.plain) { return event }
            }
            return nil
        } catch {
            // Another one of the list may be a sentinel.
            return found ?? refusal("this is no sentinel: \(error)")
        }
    }

    private mutating func take(_ value: RESPValue) -> Event? {
        if let found {
            // Where it does not tell, those that are known have to do.
            others = SentinelWord.sentinels(value)
            return found
        }
        switch value {
        case .error(let text), .blobError(let text): return refused(text)
        case _ where isLoggingIn:
            isLoggingIn = false
            return nil
        case .null: return refusal("the sentinel watches no master called \"\(service)\"")
        default:
            guard let master = SentinelWord.master(value) else {
                return refusal(
                    "the sentinel names no address for \"\(service)\": expected a host and a port,"
                        + " found a value of type \(value.kind)")
            }
            found = .redirected([master])
            return nil
        }
    }

    private func refused(_ text: [UInt8]) -> Event {
        let shown = TranscriptLine.mask(
            Array(text.prefix(Rejection.readLimit)), login?.command.last)
        let message = String(decoding: shown, as: UTF8.self)
        if isLoggingIn || Rejection.kind(of: message) == .authentication {
            return .rejected(
                Rejection(
                    kind: .authentication, message: "the sentinel refuses the login: \(message)",
                    advice: "sentinels have their own: sentinel_username and sentinel_password"))
        }
        let isUnknown = message.lowercased().hasPrefix("err unknown command")
        return refusal(
            isUnknown
                ? "this is no sentinel, but a server; write redis://, or the sentinels' port"
                : "the sentinel refuses: \(message)")
    }

    private func refusal(_ message: String) -> Event {
        .rejected(Rejection(kind: .unsuitable, message: message))
    }

    /// The event that ends the session, where the sentinel has not answered in time.
    mutating func timeReached(_ now: Instant) -> Event? {
        guard let due = deadline, now >= due else { return nil }
        deadline = nil
        if let found { return found }
        return refusal("the sentinel has not answered within \(SentinelInquiry.patience.text)")
    }
}
