import BroadcasterAuthentication
import BroadcasterWire

/// From the startup message to the first ReadyForQuery: who we are, and the proof of it.
///
/// Once SASL has begun, nothing but SASL may finish it: a server that changes its mind, or says that all is well
/// before it has shown its own proof, is not the one that knows the password (libpq 18 lets that pass by
/// default).
struct PostgresHandshake: Sendable {
    private enum Step {
        /// Leads to: passwordSent, saslBegun, authenticated.
        case started
        /// Leads to: authenticated.
        case passwordSent
        /// Leads to: deriving.
        case saslBegun(SCRAM)
        /// Leads to: proofSent, when the work is done.
        case deriving(SCRAM, PBKDF2)
        /// Leads to: verified.
        case proofSent(SCRAM)
        /// The server has shown its proof. Leads to: authenticated.
        case verified
        /// Leads to the end.
        case authenticated
    }

    enum Outcome: Hashable, Sendable {
        case goOn
        case done
        case rejected(Rejection)
    }

    private let url: PostgresURL
    private let nonce: String
    private var password: String?
    private var security: LaneSecurity?
    private var step = Step.started
    private(set) var version = "unknown"
    private(set) var method = "trust"
    private(set) var isStandby = false
    /// The server process's number, or one that a pooler made up, and the secret to cancel a statement by.
    private(set) var process: Int32 = 0
    private(set) var secret: [UInt8] = []
    /// Nothing has come yet: what answers may not have come as far as the protocol.
    private(set) var isUnanswered = true

    init(_ url: PostgresURL, nonce: String) {
        self.url = url
        self.nonce = nonce
        password = url.password
    }

    /// - Parameter peer: with the password that was looked up for this connection, which goes before the URL's.
    mutating func start(with peer: PeerInfo, into bytes: inout [UInt8]) {
        password = peer.password ?? password
        security = peer.security
        var parameters = [
            (name: "user", value: url.user), (name: "database", value: url.database),
            (name: "application_name", value: url.applicationName),
            (name: "client_encoding", value: "UTF8"),
        ]
        if let options = url.serverOptions { parameters.append((name: "options", value: options)) }
        ClientMessage.startup(parameters).append(to: &bytes)
    }

    mutating func received(
        _ message: ServerMessage, into bytes: inout [UInt8]
    ) throws(ProtocolError) -> Outcome {
        isUnanswered = false
        switch (step, message) {
        case (_, .errorResponse(let error)): return .rejected(error.rejection)
        case (_, .noticeResponse): return .goOn
        case (.started, .negotiateProtocolVersion): return .goOn
        case (.deriving, _):
            throw violation(expected: "nothing before our proof", message)
        case (_, .authentication(let request)): return try received(request, into: &bytes)
        case (.authenticated, .parameterStatus(let name, let value)):
            return try received(parameter: name, value)
        case (.authenticated, .backendKeyData(let process, let key)):
            self.process = process
            secret = key
            return .goOn
        case (.authenticated, .readyForQuery(.idle)): return .done
        default: throw violation(expected: "a step of the login", message)
        }
    }

    private mutating func received(
        _ request: ServerMessage.Authentication, into bytes: inout [UInt8]
    ) throws(ProtocolError) -> Outcome {
        if case .started = step, let method = request.method,
            let refusal = url.logins.refusal(of: method) ?? refusalOfUnbound(request)
        {
            return reject(refusal)
        }
        switch (step, request) {
        case (.started, .ok), (.passwordSent, .ok), (.verified, .ok):
            step = .authenticated
            return .goOn
        case (.started, .cleartextPassword): return sendCleartext(into: &bytes)
        case (.started, .md5Password(let salt)): return sendMD5(salt, into: &bytes)
        case (.started, .sasl(let mechanisms)): return beginSASL(mechanisms, into: &bytes)
        case (.saslBegun(var scram), .saslContinue(let data)):
            let first = String(decoding: data, as: UTF8.self)
            let derivation = try understand { () throws(SCRAMError) in try scram.receiveFirst(first)
            }
            step = .deriving(scram, derivation)
            return .goOn
        case (.proofSent(let scram), .saslFinal(let data)):
            let final = String(decoding: data, as: UTF8.self)
            try understand { () throws(SCRAMError) in try scram.receiveFinal(final) }
            step = .verified
            return .goOn
        case (.started, .other(let code)):
            return reject(
                "the server wants a login of kind \(code) (GSSAPI, SSPI …), which is not supported")
        default: throw violation(expected: "the next step of the login", .authentication(request))
        }
    }

    private func understand<Value>(
        _ body: () throws(SCRAMError) -> Value
    ) throws(ProtocolError) -> Value {
        do throws(SCRAMError) {
            return try body()
        } catch {
            throw ProtocolError("untrusted server: \(error)")
        }
    }

    private mutating func sendCleartext(into bytes: inout [UInt8]) -> Outcome {
        guard url.allowsCleartext else {
            return reject(
                "the server wants the password in the clear; allow_cleartext=true in the URL permits it"
            )
        }
        return send("cleartext", into: &bytes) { $0 }
    }

    private mutating func sendMD5(_ salt: [UInt8], into bytes: inout [UInt8]) -> Outcome {
        let user = url.user
        return send("MD5", into: &bytes) { password in
            let inner = MD5.digest(Array((password + user).utf8))
            return "md5" + Self.hex(MD5.digest(Array(Self.hex(inner).utf8) + salt))
        }
    }

    private mutating func send(
        _ method: String, into bytes: inout [UInt8], _ answer: (String) -> String
    ) -> Outcome {
        guard let password, !password.isEmpty else { return rejectWithoutPassword() }
        // It would end there.
        if password.utf8.contains(0) { return reject("the password holds a NUL") }
        ClientMessage.password(answer(password)).append(to: &bytes)
        self.method = method
        step = .passwordSent
        return .goOn
    }

    private mutating func beginSASL(_ mechanisms: [String], into bytes: inout [UInt8]) -> Outcome {
        let binding = binding(mechanisms)
        let isBound = if case .endPoint = binding { true } else { false }
        let mechanism = isBound ? PostgresHandshake.boundSCRAM : "SCRAM-SHA-256"
        guard mechanisms.contains(mechanism) else {
            let offered = mechanisms.joined(separator: ", ")
            return reject("the server offers \(offered); possible is SCRAM-SHA-256 here")
        }
        guard let password, !password.isEmpty else { return rejectWithoutPassword() }
        // It would end there.
        if password.utf8.contains(0) { return reject("the password holds a NUL") }
        let scram = SCRAM(password: password, nonce: nonce, binding: binding)
        ClientMessage.saslInitial(mechanism: mechanism, data: scram.firstMessage)
            .append(to: &bytes)
        method = mechanism
        step = .saslBegun(scram)
        return .goOn
    }

    private static let boundSCRAM = "SCRAM-SHA-256-PLUS"

    /// The binding of a login by SCRAM, among these mechanisms of the server's.
    private func binding(_ mechanisms: [String]) -> ChannelBinding {
        guard let security, url.security.binding != .disable,
            case .endPoint(let digest) = security.binding
        else { return .none }
        return mechanisms.contains(PostgresHandshake.boundSCRAM) ? .endPoint(digest) : .notOffered
    }

    /// Why this login, which is not bound to TLS, does not do; nil where it does. Nothing has been sent that would prove
    /// the password.
    private func refusalOfUnbound(_ request: ServerMessage.Authentication) -> String? {
        guard url.security.binding == .require else { return nil }
        guard let security else {
            return "channel_binding=require needs TLS, and the server has none"
        }
        if case .undefined(let algorithm) = security.binding {
            return "channel_binding=require is not possible: the server's certificate is signed by"
                + " \(algorithm), which names no hash function"
        }
        if case .sasl(let mechanisms) = request, case .endPoint = binding(mechanisms) { return nil }
        return "channel_binding=require, and the server does not offer"
            + " \(PostgresHandshake.boundSCRAM): somebody may stand between"
    }

    private func rejectWithoutPassword() -> Outcome {
        reject(
            "the server wants a password, and there is none: write postgres://user:password@host")
    }

    private func reject(_ text: String) -> Outcome {
        .rejected(Rejection(kind: .authentication, message: text, advice: ""))
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private mutating func received(
        parameter name: String, _ value: String
    ) throws(ProtocolError) -> Outcome {
        switch name {
        case "server_version": version = Rejection.printable(value)
        case "in_hot_standby": isStandby = value == "on"
        case "client_encoding" where value != "UTF8":
            throw ProtocolError(
                reading: "Postgres ParameterStatus", expected: "client_encoding UTF8",
                found: URLOptions.show(value))
        default: break
        }
        return .goOn
    }

    private func violation(expected: String, _ message: ServerMessage) -> ProtocolError {
        ProtocolError(reading: "Postgres login", expected: expected, found: message.name)
    }

    // MARK: Work in slices

    /// Rounds of PBKDF2 between two looks at the sockets: under a millisecond, even in a debug build.
    private static let roundsPerSlice = 128

    var hasWork: Bool {
        if case .deriving = step { true } else { false }
    }

    /// Goes on with hashing the password, and sends the proof when that is done.
    mutating func work(into bytes: inout [UInt8]) {
        guard case .deriving(var scram, var derivation) = step else { return }
        if let salted = derivation.work(rounds: PostgresHandshake.roundsPerSlice) {
            let proof = scram.finalMessage(saltedPassword: salted)
            ClientMessage.saslResponse(proof).append(to: &bytes)
            step = .proofSent(scram)
        } else {
            step = .deriving(scram, derivation)
        }
    }
}

extension ServerMessage {
    /// The name in an error.
    var name: String {
        switch self {
        case .authentication(let request): "Authentication (\(request.name))"
        case .parameterStatus: "ParameterStatus"
        case .backendKeyData: "BackendKeyData"
        case .readyForQuery(let status): "ReadyForQuery (\(status))"
        case .errorResponse: "ErrorResponse"
        case .noticeResponse: "NoticeResponse"
        case .notification: "NotificationResponse"
        case .commandComplete: "CommandComplete"
        case .parseComplete: "ParseComplete"
        case .bindComplete: "BindComplete"
        case .closeComplete: "CloseComplete"
        case .noData: "NoData"
        case .emptyQuery: "EmptyQueryResponse"
        case .portalSuspended: "PortalSuspended"
        case .parameterDescription: "ParameterDescription"
        case .rowDescription: "RowDescription"
        case .dataRow: "DataRow"
        case .negotiateProtocolVersion: "NegotiateProtocolVersion"
        }
    }
}

extension ServerMessage.Authentication {
    /// The login that begins with this; nil for those that are refused in any case.
    fileprivate var method: LoginPolicy.Method? {
        switch self {
        case .ok: LoginPolicy.Method.none
        case .cleartextPassword: .password
        case .md5Password: .md5
        case .sasl: .scram
        case .saslContinue, .saslFinal, .other: nil
        }
    }

    fileprivate var name: String {
        switch self {
        case .ok: "ok"
        case .cleartextPassword: "cleartext"
        case .md5Password: "MD5"
        case .sasl: "SASL"
        case .saslContinue: "SASL continue"
        case .saslFinal: "SASL final"
        case .other(let code): "code \(code)"
        }
    }
}
