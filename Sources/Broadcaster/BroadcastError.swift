internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// The failures of a `Broadcast`, sorted by what a program can do about them.
///
/// No error, log entry or description contains a password.
///
/// More cases may come: end a `switch` over it with `@unknown default`, and treat what comes there as a failure whose
/// outcome is unknown.
///
/// ```swift
/// switch error {
/// case .temporarilyRefused, .disconnected: …       // later
/// case .permissionDenied, .refused, .invalid: …    // never
/// …
/// @unknown default: …
/// }
/// ```
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum BroadcastError: Error, Hashable, Sendable {
    /// The URL cannot be used; the text says what is wrong and what is possible.
    case invalidURL(String)
    /// A channel's name or a message that the server would not take. Nothing was sent.
    case invalid(String)
    /// `connect()`: no server answered there.
    case unreachable(String)
    /// `connect()`: TLS was asked for, and a secure connection is not to be had. The server's certificate cannot be trusted,
    /// or the client's; the server does not speak TLS; OpenSSL's library is not there; a file cannot be read.
    case insecure(String)
    /// `connect()` and `ping()`: a server answered, and the connection ended before the answer that was due.
    case connectionLost(String)
    /// The server refused the user or the password, or asks for a login that is not possible.
    case authenticationFailed(String)
    /// The server does not allow this user the channel or command.
    case permissionDenied(String)
    /// The server refused for another reason that does not pass by itself, in its own words.
    case refused(String)
    /// The server says: not now. It is starting or stopping, has too many clients, waits for a lock, or has a full
    /// queue. Nothing was published; try again later.
    case temporarilyRefused(String)
    /// The server that answered broke the protocol.
    case protocolViolation(String)
    /// `connect()` or `subscribe`: not done before its deadline. For `subscribe`, by a server whose connection has held.
    case timedOut(String)
    /// `publish`, `subscribe`, `ping`: there is no connection, or there was none that held until the deadline. The text
    /// says why the last one ended. Nothing was published, and trying again is safe.
    case disconnected(String)
    /// The message was sent and the answer did not come: the server may have published it, or not.
    /// Trying again may publish it twice.
    case outcomeUnknown(String)
    /// The subscriber was too slow for its buffer, and its policy is `.fail`. `lost` messages fell.
    case overflow(lost: Int)
    /// `publish(contentsOf:)`: not every message was accepted. One outcome for each, in order.
    case incomplete([Result<PublishReceipt, BroadcastError>])
    /// The server keeps no messages, so that there is nothing to read of the past; for patterns none does. The text says
    /// which servers do. Nothing was sent.
    case historyUnsupported(String)
    /// A message of a typed channel is no value of its type, and the loop is one over values alone.
    case undecodable(String)
    /// The task was cancelled before anything was sent. In place of `CancellationError`, which a call that throws this type
    /// alone cannot throw. Iterating over a subscription, and `run()`, end without an error instead.
    case cancelled
    /// Neither `connect()` nor `run()` has been called, or `disconnect()` has.
    case notConnected
}

extension BroadcastError {
    /// True if the same call may succeed later and can do no harm: nothing was published or subscribed by this one.
    ///
    /// False also for `.outcomeUnknown`, where the message may come twice, and for `.incomplete`, which holds an error for
    /// each message that was not accepted.
    public var isRetryable: Bool {
        switch self {
        case .unreachable, .connectionLost, .temporarilyRefused, .timedOut, .disconnected: true
        case .invalidURL, .invalid, .insecure, .authenticationFailed, .permissionDenied, .refused:
            false
        case .protocolViolation, .outcomeUnknown, .overflow, .incomplete, .cancelled: false
        case .historyUnsupported, .undecodable, .notConnected: false
        }
    }
}

extension BroadcastError: CustomStringConvertible {
    /// The failure in words for a log.
    public var description: String {
        switch self {
        case .invalidURL(let text): "invalid URL: \(text)"
        case .invalid(let text): "invalid argument: \(text)"
        case .unreachable(let text): "server not reachable: \(text)"
        case .insecure(let text): "no secure connection: \(text)"
        case .connectionLost(let text): "connection lost: \(text)"
        case .authenticationFailed(let text): "authentication failed: \(text)"
        case .permissionDenied(let text): "permission denied: \(text)"
        case .refused(let text): "the server refused: \(text)"
        case .temporarilyRefused(let text): "the server refuses for now: \(text)"
        case .protocolViolation(let text): "protocol violation: \(text)"
        case .timedOut(let text): "timed out: \(text)"
        case .disconnected(let text): "disconnected: \(text)"
        case .outcomeUnknown(let text): "sent, but the outcome is unknown: \(text)"
        case .overflow(let lost): "the subscriber was too slow: \(lost) messages were dropped"
        case .incomplete(let outcomes): BroadcastError.summary(of: outcomes)
        case .historyUnsupported(let text): "no history: \(text)"
        case .undecodable(let text): "undecodable: \(text)"
        case .cancelled: "cancelled"
        case .notConnected:
            "not connected: call connect() or run() first, and not after disconnect(); ready() waits for the connection"
        }
    }

    private static func summary(of outcomes: [Result<PublishReceipt, BroadcastError>]) -> String {
        var failures: [BroadcastError] = []
        for case .failure(let error) in outcomes { failures.append(error) }
        let first = failures.first.map { "; first failure: \($0)" } ?? ""
        return "\(failures.count) of \(outcomes.count) messages were not accepted\(first)"
    }
}

// MARK: Translation, once, at the library's boundary

extension BroadcastError {
    init(_ rejection: Rejection, about subject: String? = nil) {
        let usual = rejection.kind == .authentication ? "check the user and password" : ""
        let advice = rejection.advice ?? usual
        let said = advice.isEmpty ? rejection.message : "\(rejection.message); \(advice)"
        let text = subject.map { "\($0): \(said)" } ?? said
        switch rejection.kind {
        case .authentication: self = .authenticationFailed(text)
        case .permission: self = .permissionDenied(text)
        case .permanent, .unsuitable: self = .refused(text)
        case .temporary: self = .temporarilyRefused(text)
        }
    }

    init(_ failure: ConnectionFailure) {
        switch failure {
        case .unreachable(let text): self = .unreachable(text)
        case .insecure(let text): self = .insecure(text)
        case .lost(let text): self = .connectionLost(text)
        case .rejected(let rejection): self.init(rejection)
        case .protocolViolation(let text): self = .protocolViolation(text)
        case .timedOut(let text): self = .timedOut(text)
        case .down(let text): self = .disconnected(text)
        case .cancelled: self = .cancelled
        case .closed: self = .notConnected
        }
    }

    init(_ failure: PublishFailure) {
        switch failure {
        case .notSent(let text): self = .disconnected(text)
        case .outcomeUnknown(let text): self = .outcomeUnknown(text)
        case .refused(let rejection): self.init(rejection)
        case .cancelled: self = .cancelled
        case .closed: self = .notConnected
        }
    }

    init(_ failure: SubscriptionFailure) {
        switch failure {
        case .refused(let topic, let rejection):
            let kind = topic.isPattern ? "pattern" : "channel"
            self.init(rejection, about: "\(kind) \(URLOptions.show(topic.text))")
        case .overflow(let lost): self = .overflow(lost: lost)
        case .tooManyTopics(let limit):
            self = .invalid("more than \(limit) channels at the same time (maximumChannels)")
        case .timedOut: self = .timedOut("the server did not confirm the subscription in time")
        case .down(let text): self = .disconnected(text)
        case .cancelled: self = .cancelled
        case .ended: self = .invalid("the subscription is over: subscribe again")
        case .closed: self = .notConnected
        }
    }
}
