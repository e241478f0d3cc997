import BroadcasterWire

/// The login on one lane, before the first command: who the client is, and which RESP is spoken.
///
/// RESP3: HELLO with AUTH and SETNAME. RESP2, asked for or fallen back to: AUTH, CLIENT SETNAME, and on the
/// main lane INFO for the server's version. Then SELECT. Each step waits for its answer.
///
/// The login and the database decide; the rest is nice to have. A server that refuses HELLO, in whatever words, is spoken
/// to in RESP2, where a wrong login shows itself; one that gives no name, version or role is taken without.
struct RedisHandshake: Sendable {
    enum Step: Hashable, Sendable {
        case hello
        case authenticate
        case setName
        case information
        case role
        /// What the other servers are.
        case neighbours
        case select

        /// Any answer will do.
        var isOptional: Bool {
            switch self {
            case .setName, .information, .role, .neighbours: true
            case .hello, .authenticate, .select: false
            }
        }
    }

    enum Outcome: Hashable, Sendable {
        /// The next step has been written.
        case goOn
        case done
        case rejected(Rejection)
    }

    private let url: RedisURL
    private let login: RedisLogin?
    private let isMain: Bool
    private let endpoint: Endpoint
    private(set) var dialect: RedisURL.Dialect
    private(set) var product = "redis"
    private(set) var version = "unknown"
    private(set) var role: RedisRole
    private(set) var neighbours = RedisNeighbours()
    private var step = Step.hello
    /// HELLO gives the name too. A server that refuses that is greeted again without.
    private var isNamedByHello: Bool
    /// The server's words, where it has refused HELLO.
    private var refusalOfHello: String?

    /// - Parameters:
    ///   - role: nothing known of it; what the server says of its role is added.
    ///   - endpoint: the server; nil for that of the URL.
    init(
        _ url: RedisURL, lane: Lane, dialect: RedisURL.Dialect, role: RedisRole,
        to endpoint: Endpoint? = nil
    ) {
        self.url = url
        self.endpoint = endpoint ?? url.endpoint
        self.role = role
        self.dialect = dialect
        login = RedisLogin(url)
        isMain = lane == .main
        isNamedByHello = url.clientName != nil
    }

    /// The server is a node of a cluster, which tells of all of them.
    var isOfCluster: Bool { url.isOfCluster }

    /// Writes the first step, if there is any.
    mutating func start(_ lane: Lane, into output: inout SessionOutput) -> Outcome {
        guard dialect == .resp3 else { return advance(past: .hello, lane, into: &output) }
        greet(lane, into: &output)
        return .goOn
    }

    private func greet(_ lane: Lane, into output: inout SessionOutput) {
        var words = ["HELLO", "3"] + (login?.greeting ?? [])
        if isNamedByHello, let name = url.clientName { words += ["SETNAME", name] }
        RESPEncoder.command(words, to: &output[lane])
    }

    // MARK: Answers

    mutating func received(
        _ reply: RESPValue, _ lane: Lane, into output: inout SessionOutput
    ) throws(ProtocolError) -> Outcome {
        switch reply {
        case .error(let text), .blobError(let text):
            // Some servers repeat the arguments of a command that they do not know.
            let shown = TranscriptLine.mask(
                Array(text.prefix(Rejection.readLimit)), url.password)
            return refused(String(decoding: shown, as: UTF8.self), lane, into: &output)
        case .map(let fields) where step == .hello:
            return greeted(fields, unlessSaid: .resp3, lane, into: &output)
        case .array(let fields) where step == .hello:
            // Kvrocks and Pika know HELLO, and answer in RESP2.
            return greeted(fields, unlessSaid: .resp2, lane, into: &output)
        case _ where step == .neighbours:
            neighbours.take(reply, at: url.place, from: endpoint)
            return advance(past: step, lane, into: &output)
        case _ where step.isOptional:
            for (name, value) in RedisInformation.fields(of: reply.text ?? []) {
                learn(name, value)
            }
            return advance(past: step, lane, into: &output)
        case .simpleString where step != .hello:
            return advance(past: step, lane, into: &output)
        default:
            throw ProtocolError(
                reading: "Redis handshake, answer to \(step)",
                expected: step == .hello ? "a map" : "OK", found: "a value of type \(reply.kind)")
        }
    }

    private mutating func greeted(
        _ values: [RESPValue], unlessSaid usual: RedisURL.Dialect, _ lane: Lane,
        into output: inout SessionOutput
    ) -> Outcome {
        dialect = usual
        for (name, value) in RedisInformation.fields(of: values) {
            if name == "proto" { dialect = value == "3" ? .resp3 : .resp2 }
            learn(name, value)
        }
        return advance(past: isNamedByHello ? .setName : .authenticate, lane, into: &output)
    }

    /// Takes a field of HELLO's or INFO's answer.
    private mutating func learn(_ name: String, _ value: String) {
        role.learn(name, value)
        switch name {
        case "server", "server_name": product = Rejection.printable(value)
        // Valkey tells both; its own is the one that counts.
        case "redis_version" where version == "unknown": version = Rejection.printable(value)
        case "version", "valkey_version": version = Rejection.printable(value)
        default: break
        }
    }

    // MARK: Refusals

    private mutating func refused(
        _ message: String, _ lane: Lane, into output: inout SessionOutput
    ) -> Outcome {
        let kind = Rejection.kind(of: message)
        if kind == .temporary || message.hasPrefix("DENIED ") {
            // It is about the connection, not about the step: loading, too many clients, protected mode.
            return .rejected(Rejection(kind: kind, message: message))
        }
        switch step {
        case .hello: return helloRefused(message, kind, lane, into: &output)
        case .authenticate:
            return .rejected(Rejection(kind: .authentication, message: message))
        case _ where kind == .authentication: break
        case .setName:
            output.append(.warned(Rejection.printable("client_name is not set: \(message)")))
            return advance(past: .setName, lane, into: &output)
        case .information, .role:
            // Not allowed to ask, or a proxy that does not know: it stays unknown.
            return advance(past: .role, lane, into: &output)
        case .neighbours where ClusterRefusal.isNoCluster(message):
            return .rejected(ClusterRefusal.noCluster)
        case .neighbours: return advance(past: .neighbours, lane, into: &output)
        case .select:
            let hint = "PUB/SUB needs no database, drop the /\(url.database)"
            return .rejected(Rejection(kind: kind, message: "\(hint): \(message)"))
        }
        return .rejected(Rejection(kind: kind, message: message))
    }

    private mutating func helloRefused(
        _ message: String, _ kind: Rejection.Kind, _ lane: Lane, into output: inout SessionOutput
    ) -> Outcome {
        // NOAUTH in spite of a login: a proxy that takes AUTH alone.
        if kind == .authentication, login == nil || !message.hasPrefix("NOAUTH") {
            return .rejected(Rejection(kind: kind, message: message))
        }
        if isNamedByHello {
            isNamedByHello = false
            greet(lane, into: &output)
            return .goOn
        }
        refusalOfHello = message
        dialect = .resp2
        return advance(past: .hello, lane, into: &output)
    }

    // MARK: The server has closed the connection

    /// True if the server has not answered HELLO: it may know no better way to say that it does not know the command.
    var isUnanswered: Bool { step == .hello && dialect == .resp3 }

    /// The reason for which the server may have closed the connection, in its own words.
    var refusal: Rejection? {
        refusalOfHello.map { Rejection(kind: .permanent, message: $0) }
    }

    // MARK: Steps

    /// Writes the next step that is needed after `last`.
    private mutating func advance(
        past last: Step, _ lane: Lane, into output: inout SessionOutput
    ) -> Outcome {
        if role.isSentinel { return .rejected(RedisRole.sentinel) }
        let order: [Step] = [
            .hello, .authenticate, .setName, .information, .role, .neighbours, .select,
        ]
        let position = order.firstIndex(of: last) ?? 0
        for next in order[(position + 1)...] {
            guard let words = words(for: next) else { continue }
            step = next
            RESPEncoder.command(words, to: &output[lane])
            return .goOn
        }
        if isMain {
            if case .master(let found) = url.place, !role.canPublish {
                // It may become the master in a moment, or the sentinels name another one.
                return .rejected(RedisRole.notMaster(found.words))
            }
            version += neighbours.summary(of: url.place)
        }
        return .done
    }

    private func words(for step: Step) -> [String]? {
        switch step {
        case .hello: nil
        case .authenticate: login?.command
        case .setName: url.clientName.map { ["CLIENT", "SETNAME", $0] }
        case .information: isMain && version == "unknown" ? ["INFO", "server"] : nil
        case .role: isMain && dialect == .resp2 ? ["INFO", "replication"] : nil
        case .neighbours: isMain ? url.place.question : nil
        case .select: url.database > 0 ? ["SELECT", String(url.database)] : nil
        }
    }
}
