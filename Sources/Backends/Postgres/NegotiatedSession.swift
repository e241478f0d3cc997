import BroadcasterWire

/// A session behind the negotiation of its lanes' security: each lane reaches the session when it is as secure as
/// `sslmode` wants it ("SSL Session Encryption" in the Postgres documentation).
///
/// A lane asks (SSLRequest), and the server answers by one byte. What comes with that byte comes from somebody between,
/// and is refused (CVE-2021-23222); an error in its place is shown as such, since nobody has vouched for it.
struct NegotiatedSession: Session {
    private var session: any Session
    private let url: PostgresURL
    /// Lanes whose server has not answered yet.
    private var asking: [Lane: PeerInfo] = [:]
    /// `sslmode=allow`: the refusal of a login without TLS.
    private var refusal: Rejection?
    /// The next message on the main lane is the first, and may be such a refusal.
    private var mayBeRefused: Bool
    /// After such a refusal every lane asks.
    private var insists = false
    /// `sslmode=prefer`, and this machine cannot do it.
    private var doesWithout = false

    init(_ session: any Session, _ url: PostgresURL) {
        self.session = session
        self.url = url
        mayBeRefused = url.security.mode == .allow
    }

    // MARK: Lanes

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        let isWanted = insists || url.security.mode != .allow && !doesWithout
        if peer.security == nil, isWanted, url.tlsOptions(for: peer.endpoint) != nil {
            asking[lane] = peer
            ClientMessage.secureRequest.append(to: &output[lane])
        } else {
            asking[lane] = nil
            if case .unix = peer.endpoint { mayBeRefused = false }
            session.opened(lane, to: peer, at: now, into: &output)
        }
    }

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        if let peer = asking[lane] {
            try receiveAnswer(&buffer, on: lane, of: peer, at: now, into: &output)
        } else if mayBeRefused, lane == .main {
            try receiveFirst(&buffer, at: now, into: &output)
        } else {
            try session.receive(&buffer, on: lane, at: now, into: &output)
        }
    }

    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        asking[lane] = nil
        if lane == .main, refusal != nil, !insists {
            insists = true
            mayBeRefused = false
            output.connect(.main)
            return .survived
        }
        if case .notSecurable = failure, !insists, !url.security.mode.isDemanding {
            doesWithout = true
            output.connect(lane)
            return .survived
        }
        return session.lost(lane, failure, at: now, into: &output)
    }

    // MARK: The server's answer

    private mutating func receiveAnswer(
        _ buffer: inout ReceiveBuffer, on lane: Lane, of peer: PeerInfo, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        guard !buffer.isEmpty, let options = url.tlsOptions(for: peer.endpoint) else { return }
        let answer = buffer.bytes[buffer.start]
        switch answer {
        case UInt8(ascii: "S"), UInt8(ascii: "N"):
            guard buffer.count == 1 else {
                throw ProtocolError(
                    reading: "answer to SSLRequest", expected: "one byte",
                    found: "\(buffer.count): somebody may stand between")
            }
            buffer.consume(upTo: buffer.bytes.count)
            if answer == UInt8(ascii: "S") { return output.secure(lane, options) }
            asking[lane] = nil
            if let rejection = refusal ?? withoutTLS {
                output.append(.rejected(rejection))
            } else {
                session.opened(lane, to: peer, at: now, into: &output)
            }
        case UInt8(ascii: "E"):
            guard let error = try NegotiatedSession.error(in: &buffer) else { return }
            output.append(.rejected(rejection(for: error)))
        default:
            throw ProtocolError(
                reading: "answer to SSLRequest", expected: "S or N",
                found: ProtocolError.show(answer))
        }
    }

    /// The end of a login by an error in clear text. Whoever demands TLS is told whose word that may be; to the others it
    /// is worth as much as all that a server without TLS says.
    private func rejection(for error: ServerError) -> Rejection {
        let rejection = error.rejection
        guard url.security.mode.isDemanding else { return rejection }
        return Rejection(
            kind: .permanent,
            message: "instead of an answer to SSLRequest, in clear text: \(rejection.message)",
            advice: "")
    }

    /// The end of a login at a server without TLS; nil where the mode goes on without.
    private var withoutTLS: Rejection? {
        guard url.security.mode.isDemanding else { return nil }
        return Rejection(
            kind: .permanent,
            message:
                "the server does not speak TLS, which sslmode=\(url.security.mode.rawValue) wants",
            advice:
                "a pooler may have TLS switched off, as PgBouncer by default (client_tls_sslmode)")
    }

    /// The error that a server sends first, in whichever of its forms; nil while a part of it is missing.
    private static func error(
        in buffer: inout ReceiveBuffer
    ) throws(ProtocolError) -> ServerError? {
        let received = buffer.bytes
        switch PostgresFrame.plainError(in: received.span, at: buffer.start) {
        case .incomplete: return nil
        case .text(let range, let end):
            buffer.consume(upTo: end)
            return ServerError(beforeProtocol: String(decoding: received[range], as: UTF8.self))
        case .none: break
        }
        guard let frame = try PostgresFrame.next(in: received.span, at: buffer.start),
            case .errorResponse(let error) = try ServerMessage(
                type: frame.type, body: received[frame.body])
        else { return nil }
        buffer.consume(upTo: frame.body.upperBound)
        return error
    }

    // MARK: sslmode=allow

    /// "no pg_hba.conf entry … no encryption" (auth.c) has this code: invalid_authorization_specification.
    private static let refusedByRules = "28000"

    /// Takes the first message of a server that was spoken to without TLS. A refusal by its rules leads to a second
    /// connection, with TLS, once the server has closed this one.
    private mutating func receiveFirst(
        _ buffer: inout ReceiveBuffer, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        if refusal != nil { return buffer.consume(upTo: buffer.bytes.count) }
        if buffer.bytes[buffer.start...].first == UInt8(ascii: "E") {
            var copy = buffer
            guard let error = try NegotiatedSession.error(in: &copy) else { return }
            if error.code == NegotiatedSession.refusedByRules {
                refusal = error.rejection
                return buffer.consume(upTo: buffer.bytes.count)
            }
        }
        mayBeRefused = false
        try session.receive(&buffer, on: .main, at: now, into: &output)
    }

    // MARK: The session's own

    mutating func wrote(on lane: Lane, at now: Instant) {
        if asking[lane] == nil { session.wrote(on: lane, at: now) }
    }

    mutating func perform(_ command: Command, at now: Instant, into output: inout SessionOutput) {
        session.perform(command, at: now, into: &output)
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        try session.timeReached(now, into: &output)
    }

    var intake: PublishIntake { session.intake }
    var deadline: Instant? { session.deadline }
}
