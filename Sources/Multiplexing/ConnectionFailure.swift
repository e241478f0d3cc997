package import BroadcasterWire

/// The reason for which there is no connection.
package enum ConnectionFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// No server answered there.
    case unreachable(String)
    /// The server answered and does not want us.
    case rejected(Rejection)
    /// The server that answered does not speak the protocol.
    case protocolViolation(String)
    /// There is no secure connection to be had: a certificate, a file or a setting, here or there.
    case insecure(String)
    /// An established connection ended.
    case lost(String)
    /// Not ready before the deadline.
    case timedOut(String)
    /// A request was not made, since there is no connection at the moment; and why.
    case down(String)
    /// The call was cancelled; the runner may go on for others.
    case cancelled
    case closed

    package var description: String {
        switch self {
        case .unreachable(let text), .protocolViolation(let text), .insecure(let text),
            .lost(let text), .timedOut(let text), .down(let text):
            text
        case .rejected(let rejection): "the server refused: \(rejection.message)"
        case .cancelled: "cancelled"
        case .closed: "disconnected"
        }
    }
}

extension ConnectionFailure {
    /// The failure of a session that cannot go on without the lane.
    init(_ failure: LaneFailure) {
        switch failure {
        case .unreachable(let text): self = .unreachable(text)
        case .passwordMissing(let text):
            self = .rejected(Rejection(kind: .authentication, message: text, advice: ""))
        case .lost(let text), .silent(let text): self = .lost(text)
        case .insecure(let text), .notSecurable(let text): self = .insecure(text)
        }
    }

    /// The failure of a session whose peer broke the protocol, or fell silent.
    init(_ error: ProtocolError) {
        switch error.kind {
        case .silence: self = .lost(error.description)
        case .violation: self = .protocolViolation(error.description)
        }
    }
}
