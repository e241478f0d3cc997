import BroadcasterWire

/// What comes before the first command on one lane: who we are, and which RESP is spoken.
///
/// RESP3: HELLO with AUTH and SETNAME. RESP2, asked for or fallen back to: AUTH, CLIENT SETNAME, and on the
/// main lane INFO for the server's version. Then SELECT. Each step waits for its answer.
struct RedisHandshake: Sendable {
    enum Step: Hashable, Sendable {
        case hello
        case authenticate
        case setName
        case information
        case role
        case select
    }

    enum Outcome: Hashable, Sendable {
        /// The next step has been written.
        case goOn
        case done
        case rejected(Rejection)
    }

    private let url: RedisURL
    private let isMain: Bool
    private(set) var dialect: RedisURL.Dialect
    private(set) var product = "redis"
    private(set) var version = "unknown"
    private(set) var role: RedisRole
    private var step = Step.hello

    /// - Parameter role: nothing known of it; what the server says of its role is added.
    init(_ url: RedisURL, lane: Lane, dialect: RedisURL.Dialect, role: RedisRole) {
        self.url = url
        self.role = role
        self.dialect = dialect
        isMain = lane == .main
    }

    /// Writes the first step, if there is any.
    mutating func start(_ lane: Lane, into output: inout SessionOutput) -> Outcome {
        guard dialect == .resp3 else { return advance(past: .hello, lane, into: &output) }
        step = .hello
        var words = ["HELLO", "3"]
        if let password = url.password { words += ["AUTH", url.user ?? "default", password] }
        if let name = url.clientName { words += ["SETNAME", name] }
        RESPEncoder.command(words, to: &output[lane])
        return .goOn
    }

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
            read(fields)
            return advance(past: .setName, lane, into: &output)
        case .bulkString(let text) where step == .information || step == .role,
            .verbatimString(_, let text) where step == .information || step == .role:
            readInformation(text)
            role.learn(lines: text)
            return advance(past: step, lane, into: &output)
        case .simpleString where step != .hello && step != .information && step != .role:
            return advance(past: step, lane, into: &output)
        default:
            throw ProtocolError(
                reading: "Redis handshake, answer to \(step)",
                expected: step == .hello ? "a map" : "OK", found: "a value of type \(reply.kind)")
        }
    }

    private mutating func refused(
        _ message: String, _ lane: Lane, into output: inout SessionOutput
    ) -> Outcome {
        let code = message.prefix { $0 != " " }
        switch step {
        case .hello
        where code == "NOPROTO" || message.lowercased().containsBytes("unknown command"):
            dialect = .resp2
            return advance(past: .hello, lane, into: &output)
        default:
            var kind = Rejection.kind(of: message)
            if step == .authenticate { kind = .authentication }
            if step == .information || step == .role, kind == .permission || kind == .permanent {
                // Not allowed to ask, or a proxy that does not know: it stays unknown.
                return advance(past: .role, lane, into: &output)
            }
            return .rejected(Rejection(kind: kind, message: message))
        }
    }

    /// Writes the next step that is needed after `last`.
    private mutating func advance(
        past last: Step, _ lane: Lane, into output: inout SessionOutput
    ) -> Outcome {
        let order: [Step] = [.hello, .authenticate, .setName, .information, .role, .select]
        let position = order.firstIndex(of: last) ?? 0
        for next in order[(position + 1)...] {
            guard let words = words(for: next) else { continue }
            step = next
            RESPEncoder.command(words, to: &output[lane])
            return .goOn
        }
        return .done
    }

    private func words(for step: Step) -> [String]? {
        switch step {
        case .hello: nil
        case .authenticate:
            url.password.map { ["AUTH"] + [url.user, $0].compactMap { $0 } }
        case .setName: url.clientName.map { ["CLIENT", "SETNAME", $0] }
        case .information: isMain && version == "unknown" ? ["INFO", "server"] : nil
        case .role: isMain && dialect == .resp2 ? ["INFO", "replication"] : nil
        case .select: url.database > 0 ? ["SELECT", String(url.database)] : nil
        }
    }

    private mutating func read(_ fields: [RESPValue]) {
        role.learn(fields: fields)
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].plain.text,
                let value = fields[index + 1].plain.text.map({ String(decoding: $0, as: UTF8.self) }
                )
            else { continue }
            switch String(decoding: name, as: UTF8.self) {
            case "server": product = Rejection.printable(value)
            case "version": version = Rejection.printable(value)
            default: break
            }
        }
    }

    private mutating func readInformation(_ text: [UInt8]) {
        for (name, value) in RedisInformation.fields(of: text) {
            switch name {
            case "server_name": product = Rejection.printable(value)
            case "redis_version" where version == "unknown": version = Rejection.printable(value)
            case "valkey_version": version = Rejection.printable(value)
            default: break
            }
        }
    }
}

/// The answer to INFO: lines of `name:value`.
enum RedisInformation {
    /// A section has 2 KB or so (Redis 8.2); what a hostile server adds is not looked at.
    private static let readLimit = 65_536

    static func fields(of text: [UInt8]) -> [(name: String, value: String)] {
        let text = String(decoding: text.prefix(readLimit), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
    }
}

extension Rejection {
    /// What an error of Redis means, by its first word: the rest differs between versions.
    static func kind(of message: String) -> Kind {
        switch message.prefix(while: { $0 != " " }) {
        case "WRONGPASS", "NOAUTH": .authentication
        case "NOPERM": .permission
        case "LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN": .temporary
        case "ERR" where message.containsBytes("max number of clients"): .temporary
        case "ERR" where message.containsBytes("invalid password"): .authentication
        default: .permanent
        }
    }

    /// Far more than is shown of an error; it may have 64 MiB.
    static let readLimit = 4096

    init(redis text: [UInt8]) {
        let message = String(decoding: text.prefix(Rejection.readLimit), as: UTF8.self)
        self.init(kind: Rejection.kind(of: message), message: message)
    }
}
