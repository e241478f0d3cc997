import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// SSLRequest and its answers, before the login.
struct NegotiatedSessionTests: PostgresConversation {
    private let request: [UInt8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]
    private let peer = PeerInfo(endpoint: .tcp(host: "h", port: 5432))
    private let securePeer = PeerInfo(
        endpoint: .tcp(host: "h", port: 5432),
        security: LaneSecurity(
            version: "TLSv1.3", cipher: "c", subject: "s", expiry: "e", binding: .endPoint([1, 2]),
            isResumed: false, verification: .full))

    /// A session that has been opened on a lane without TLS, and what it has sent.
    private func opened(_ query: String) throws -> (any Session, SessionOutput) {
        var session = try postgresSession("postgres://u:p@h/d?\(query)")
        var output = SessionOutput()
        session.opened(.main, to: peer, at: .now, into: &output)
        return (session, output)
    }

    private func sent(_ output: inout SessionOutput) -> [UInt8] {
        var bytes: [UInt8] = []
        output.drainBytes { _, some in
            bytes += some
            some = []
        }
        return bytes
    }

    private func bytes(of message: ServerMessage) -> [UInt8] {
        var bytes: [UInt8] = []
        message.append(to: &bytes)
        return bytes
    }

    private func isStartup(_ bytes: [UInt8]) -> Bool {
        bytes.count > 8 && bytes[4..<8] == [0, 3, 0, 0]
    }

    private func rejection(_ output: inout SessionOutput) -> Rejection? {
        for case .rejected(let rejection) in output.takeEvents() { return rejection }
        return nil
    }

    @Test(arguments: [
        ("", true), ("sslmode=prefer", true), ("sslmode=require", true),
        ("sslmode=verify-full", true), ("sslmode=disable", false), ("sslmode=allow", false),
    ])
    func aServerIsAskedFirst(query: String, isAsked: Bool) throws {
        var (_, output) = try opened(query)
        let bytes = sent(&output)
        #expect(isAsked ? bytes == request : isStartup(bytes))
    }

    @Test func aSocketOfThisMachineIsNotEncrypted() throws {
        var session = try postgresSession("postgres://u:p@h/d?sslmode=require")
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        #expect(isStartup(sent(&output)))
    }

    @Test func aYesLeadsToTLSAndThenToTheLogin() throws {
        var (session, output) = try opened("sslmode=verify-full")
        _ = sent(&output)
        var buffer = ReceiveBuffer(text("S"))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        let wish = try #require(output.takeConnections().first)
        #expect(wish.lane == .main)
        #expect(wish.security?.verification == .full)
        #expect(wish.security?.serverName == "h")
        #expect(buffer.isEmpty && sent(&output).isEmpty, "nothing goes out in clear text")
        session.opened(.main, to: securePeer, at: .now, into: &output)
        #expect(isStartup(sent(&output)))
    }

    @Test(arguments: [
        ("sslmode=prefer", nil), ("sslmode=require", "does not speak TLS, which sslmode=require"),
        ("sslmode=verify-full", "does not speak TLS, which sslmode=verify-full wants"),
    ])
    func aNoIsTakenByThePreferringAlone(query: String, says: String?) throws {
        var (session, output) = try opened(query)
        _ = sent(&output)
        var buffer = ReceiveBuffer(text("N"))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        #expect(isStartup(sent(&output)) == (says == nil))
        let message = rejection(&output)?.message
        #expect(says.map { message?.contains($0) == true } ?? (message == nil))
    }

    /// CVE-2021-23222.
    @Test(arguments: ["SX", "S\u{16}", "NR", "X", "R"])
    func whatComesWithTheAnswerIsRefused(answer: String) throws {
        var (session, output) = try opened("sslmode=prefer")
        var buffer = ReceiveBuffer(text(answer))
        #expect(throws: ProtocolError.self) {
            try session.receive(&buffer, on: .main, at: .now, into: &output)
        }
        #expect(output.takeConnections().isEmpty)
    }

    @Test(arguments: ["frame", "text"])
    func anErrorIsShownAsNobodysWord(form: String) throws {
        var (session, output) = try opened("sslmode=require")
        let error = ServerError(severity: "FATAL", code: "53300", message: "too many\nclients")
        let answer =
            form == "frame"
            ? bytes(of: .errorResponse(error)) : text("Etoo many\nclients\n\0")
        var buffer = ReceiveBuffer()
        for byte in answer {
            buffer.append([byte])
            try session.receive(&buffer, on: .main, at: .now, into: &output)
        }
        let message = rejection(&output)?.message ?? ""
        #expect(message.hasPrefix("instead of an answer to SSLRequest, in clear text: too many"))
        #expect(!message.contains("\n"))
    }

    @Test func anErrorIsTheServersWhereNothingIsDemanded() throws {
        var (session, output) = try opened("sslmode=prefer")
        let error = ServerError(severity: "FATAL", code: "53300", message: "too many clients")
        var buffer = ReceiveBuffer(bytes(of: .errorResponse(error)))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        #expect(rejection(&output)?.message == "too many clients (SQLSTATE 53300)")
    }

    // MARK: sslmode=allow

    private let refusal = ServerMessage.errorResponse(
        ServerError(severity: "FATAL", code: "28000", message: "no entry, no encryption"))

    @Test func aRefusalOfClearTextLeadsToTLS() throws {
        var (session, output) = try opened("sslmode=allow")
        _ = sent(&output)
        var buffer = ReceiveBuffer(bytes(of: refusal))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        #expect(rejection(&output) == nil)
        let loss = session.lost(.main, .lost("the end"), at: .now, into: &output)
        #expect(loss == .survived)
        #expect(output.takeConnections().first?.lane == .main)
        session.opened(.main, to: peer, at: .now, into: &output)
        #expect(sent(&output) == request)
        var answer = ReceiveBuffer(text("N"))
        try session.receive(&answer, on: .main, at: .now, into: &output)
        #expect(rejection(&output)?.message.contains("no encryption") == true, "the first reason")
    }

    @Test func anotherErrorOfTheLoginIsFinal() throws {
        var (session, output) = try opened("sslmode=allow")
        let error = ServerError(severity: "FATAL", code: "3D000", message: "no such database")
        var buffer = ReceiveBuffer(bytes(of: .errorResponse(error)))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        #expect(rejection(&output)?.message.contains("no such database") == true)
    }

    // MARK: No library

    @Test(arguments: [("sslmode=prefer", true), ("sslmode=require", false)])
    func aMachineThatCannotGoesOnWithoutIfItMay(query: String, goesOn: Bool) throws {
        var (session, output) = try opened(query)
        _ = sent(&output)
        var buffer = ReceiveBuffer(text("S"))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        _ = output.takeConnections()
        let loss = session.lost(.main, .notSecurable("no library"), at: .now, into: &output)
        #expect(loss == (goesOn ? .survived : .ended))
        guard goesOn else { return }
        #expect(output.takeConnections().first?.lane == .main)
        session.opened(.main, to: peer, at: .now, into: &output)
        #expect(isStartup(sent(&output)))
    }

    /// A certificate that cannot be trusted is no reason to go on without any.
    @Test func aBadCertificateIsFinalInEveryMode() throws {
        var (session, output) = try opened("sslmode=prefer&sslrootcert=/x")
        let loss = session.lost(.main, .insecure("expired"), at: .now, into: &output)
        #expect(loss == .ended)
    }

    // MARK: Channel binding

    private func login(
        _ query: String, _ peer: PeerInfo, _ mechanisms: [String]
    ) throws -> (sent: String, refusal: String?) {
        var session = try postgresSession("postgres://u:p@h/d?sslmode=prefer&\(query)")
        var output = SessionOutput()
        session.opened(.main, to: peer, at: .now, into: &output)
        if peer.security == nil {
            var answer = ReceiveBuffer(text("N"))
            try session.receive(&answer, on: .main, at: .now, into: &output)
        }
        _ = sent(&output)
        let offer = ServerMessage.authentication(.sasl(mechanisms: mechanisms))
        var buffer = ReceiveBuffer(bytes(of: offer))
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        let bytes = sent(&output).map { $0 < 0x20 ? UInt8(ascii: "|") : $0 }
        return (String(decoding: bytes, as: UTF8.self), rejection(&output)?.message)
    }

    private let both = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]

    @Test func aLoginIsBoundWhereThatIsPossible() throws {
        let bound = try login("", securePeer, both).sent
        #expect(bound.contains("SCRAM-SHA-256-PLUS|"))
        #expect(bound.contains("p=tls-server-end-point,,n="))
        #expect(try login("", securePeer, ["SCRAM-SHA-256"]).sent.contains("y,,n="))
        #expect(try login("channel_binding=disable", securePeer, both).sent.contains("n,,n="))
        #expect(try login("", peer, ["SCRAM-SHA-256"]).sent.contains("n,,n="))
    }

    @Test func aLoginThatCannotBeBoundIsNotTried() throws {
        let required = "channel_binding=require"
        let stripped = try login(required, securePeer, ["SCRAM-SHA-256"])
        #expect(stripped.sent.isEmpty)
        #expect(stripped.refusal?.contains("does not offer SCRAM-SHA-256-PLUS") == true)
        let plain = try login(required, peer, both)
        #expect(plain.sent.isEmpty)
        #expect(plain.refusal?.contains("needs TLS, and the server has none") == true)
        var ed = securePeer
        ed.security = LaneSecurity(
            version: "", cipher: "", subject: "", expiry: "",
            binding: .undefined(algorithm: "ED25519"), isResumed: false, verification: .full)
        #expect(try login(required, ed, both).refusal?.contains("ED25519") == true)
        #expect(try login("", ed, both).sent.contains("n,,n="), "as if it could not")
    }
}
