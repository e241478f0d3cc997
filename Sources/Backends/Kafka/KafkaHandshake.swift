import BroadcasterAuthentication
import BroadcasterWire

/// The beginning of a connection: the broker's versions, and the login where there is one. Also the login again, before
/// the broker's time for it has run out (KIP-368).
struct KafkaHandshake: Sendable {
    enum Outcome: Sendable {
        case send(KafkaRequest)
        /// The password is being hashed, in slices.
        case work
        /// - lifetime: the milliseconds after which the broker wants another login; 0: never.
        case done(lifetime: Int64)
        case rejected(Rejection)
        /// The broker has other mechanisms than the one that was named; it ends the connection.
        case others([String])
    }

    private enum Step: Sendable {
        case versionsAsked
        case mechanismNamed
        case plainSent
        case scramBegun(SCRAM)
        case deriving(SCRAM, PBKDF2)
        case proofSent(SCRAM)
    }

    private let login: KafkaLogin?
    private let nonce: String
    private var step = Step.versionsAsked
    /// The logins on this connection: each has a nonce of its own.
    private var logins = 0

    /// - Parameter nonce: for this connection alone.
    init(_ login: KafkaLogin?, nonce: String) {
        self.login = login
        self.nonce = nonce
    }

    static let first = KafkaRequest.apiVersions(isAsked: false)

    var hasLogin: Bool { login != nil }

    /// True if the login, or its beginning, is what awaits an answer.
    var isLoggingIn: Bool {
        if case .versionsAsked = step { false } else { true }
    }

    // MARK: Answers

    mutating func received(_ versions: ApiVersions) -> Outcome {
        guard versions.error.isNone else {
            let text = "the broker refuses ApiVersions: \(versions.error)"
            return .rejected(Rejection(kind: .unsuitable, message: text))
        }
        if let refusal = versions.refusal {
            return .rejected(Rejection(kind: .unsuitable, message: refusal))
        }
        return begin()
    }

    /// Begins the login, where there is one.
    mutating func begin() -> Outcome {
        guard let login else { return .done(lifetime: 0) }
        step = .mechanismNamed
        logins += 1
        return .send(.saslHandshake(mechanism: login.mechanism.rawValue))
    }

    mutating func received(_ handshake: SASLHandshakeMessage) -> Outcome {
        guard let login else { return reject("the broker answers a login that was not begun") }
        if handshake.error == .unsupportedMechanism { return .others(handshake.mechanisms) }
        guard handshake.error.isNone else {
            return reject("the broker refuses \(login.mechanism.rawValue): \(handshake.error)")
        }
        switch login.mechanism {
        case .plain:
            step = .plainSent
            return .send(.saslAuthenticate(Array("\0\(login.user)\0\(login.password)".utf8)))
        case .scramSHA256, .scramSHA512:
            let scram = SCRAM(
                user: login.user, password: login.password,
                nonce: logins == 1 ? nonce : "\(nonce).\(logins)",
                hash: login.mechanism == .scramSHA256 ? .sha256 : .sha512)
            step = .scramBegun(scram)
            return .send(.saslAuthenticate(Array(scram.firstMessage.utf8)))
        }
    }

    mutating func received(_ answer: SASLAuthenticateMessage) throws(ProtocolError) -> Outcome {
        guard answer.error.isNone else {
            let words = answer.message.map { ": \($0)" } ?? ""
            return reject("\(answer.error)\(words)")
        }
        let text = String(decoding: answer.data, as: UTF8.self)
        switch step {
        case .plainSent: return .done(lifetime: answer.lifetime)
        case .scramBegun(var scram):
            do throws(SCRAMError) {
                let derivation = try scram.receiveFirst(text)
                step = .deriving(scram, derivation)
                return .work
            } catch {
                return reject(error.description)
            }
        case .proofSent(let scram):
            // Tansu lets an unknown user in with error code 0: only its signature proves the broker.
            do throws(SCRAMError) {
                try scram.receiveFinal(text)
                return .done(lifetime: answer.lifetime)
            } catch {
                return reject(error.description)
            }
        case .versionsAsked, .mechanismNamed, .deriving:
            throw ProtocolError(
                reading: "Kafka login", expected: "nothing now", found: "SaslAuthenticate")
        }
    }

    private func reject(_ text: String) -> Outcome {
        .rejected(Rejection(kind: .authentication, message: text, advice: ""))
    }

    // MARK: Work in slices

    /// Rounds of PBKDF2 between two looks at the sockets.
    private static let roundsPerSlice = 128

    var hasWork: Bool {
        if case .deriving = step { true } else { false }
    }

    /// Goes on with hashing the password. The result is the proof, when that is done.
    mutating func work() -> KafkaRequest? {
        guard case .deriving(var scram, var derivation) = step else { return nil }
        guard let salted = derivation.work(rounds: KafkaHandshake.roundsPerSlice) else {
            step = .deriving(scram, derivation)
            return nil
        }
        let proof = scram.finalMessage(saltedPassword: salted)
        step = .proofSent(scram)
        return .saslAuthenticate(Array(proof.utf8))
    }
}

/// The user of a login, the password, and the way to prove it.
struct KafkaLogin: Hashable, Sendable {
    let user: String
    let password: String
    let mechanism: KafkaURL.Mechanism
}
