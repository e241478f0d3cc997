package import BroadcasterWire

/// A message of the client (a frontend message in the Postgres documentation).
package enum ClientMessage: Hashable, Sendable {
    /// Protocol 3.0 with these parameters, in order. It has no type byte.
    case startup([(name: String, value: String)])
    /// Asks for TLS, before the startup message. It has no type byte.
    case secureRequest
    /// Ends the statement that another connection waits for, by the key that its server gave. It has no type byte.
    case cancel(process: Int32, key: [UInt8])
    /// A password, or its MD5 digest.
    case password(String)
    case saslInitial(mechanism: String, data: String)
    case saslResponse(String)
    case query(String)
    case parse(statement: String, query: String, types: [Int32])
    /// Binds values as text, or all of them in their types' binary form.
    case bind(
        statement: String, values: [[UInt8]], areBinary: Bool = false,
        resultsAreBinary: Bool = false)
    /// Runs the unnamed portal to its end.
    case execute
    case sync
    case terminate

    /// Version 3.0. Poolers such as PgBouncer 1.18 refuse 3.2, which has nothing that this client needs.
    package static let version: Int32 = 196_608
    /// Stands for a version: 1234 and 5678 (CANCEL_REQUEST_CODE in pqcomm.h).
    package static let cancelCode: Int32 = 80_877_102
    /// The same, 1234 and 5679 (NEGOTIATE_SSL_CODE).
    package static let secureCode: Int32 = 80_877_103

    package static func == (one: ClientMessage, other: ClientMessage) -> Bool {
        var (left, right): ([UInt8], [UInt8]) = ([], [])
        one.append(to: &left)
        other.append(to: &right)
        return left == right
    }

    package func hash(into hasher: inout Hasher) {
        var bytes: [UInt8] = []
        append(to: &bytes)
        hasher.combine(bytes)
    }

    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .startup(let parameters):
            PostgresFrame.append(nil, to: &bytes) { body in
                body.appendInt32(ClientMessage.version)
                for (name, value) in parameters {
                    body.appendCString(name)
                    body.appendCString(value)
                }
                body.append(0)
            }
        case .secureRequest:
            PostgresFrame.append(nil, to: &bytes) { $0.appendInt32(ClientMessage.secureCode) }
        case .cancel(let process, let key):
            PostgresFrame.append(nil, to: &bytes) { body in
                body.appendInt32(ClientMessage.cancelCode)
                body.appendInt32(process)
                body += key
            }
        case .password(let text), .query(let text):
            let type: Unicode.Scalar = if case .query = self { "Q" } else { "p" }
            PostgresFrame.append(type, to: &bytes) { $0.appendCString(text) }
        case .saslInitial(let mechanism, let data):
            PostgresFrame.append("p", to: &bytes) { body in
                body.appendCString(mechanism)
                body.appendValue(Array(data.utf8))
            }
        case .saslResponse(let data): PostgresFrame.append("p", to: &bytes) { $0 += data.utf8 }
        case .parse(let statement, let query, let types):
            PostgresFrame.append("P", to: &bytes) { body in
                body.appendCString(statement)
                body.appendCString(query)
                body.appendInt16(types.count)
                for type in types { body.appendInt32(type) }
            }
        case .bind(let statement, let values, let areBinary, let resultsAreBinary):
            PostgresFrame.append("B", to: &bytes) { body in
                // The unnamed portal. No format code stands for text, one for all values or columns.
                body.append(0)
                body.appendCString(statement)
                body.appendInt16(areBinary ? 1 : 0)
                if areBinary { body.appendInt16(1) }
                body.appendInt16(values.count)
                for value in values { body.appendValue(value) }
                body.appendInt16(resultsAreBinary ? 1 : 0)
                if resultsAreBinary { body.appendInt16(1) }
            }
        case .execute:
            PostgresFrame.append("E", to: &bytes) { body in
                body.append(0)
                body.appendInt32(0)
            }
        case .sync: PostgresFrame.append("S", to: &bytes) { _ in }
        case .terminate: PostgresFrame.append("X", to: &bytes) { _ in }
        }
    }

    /// Appends one statement, by the extended protocol: there can be no second one in its text. A Sync has to follow.
    static func run(_ query: String, into bytes: inout [UInt8]) {
        ClientMessage.parse(statement: "", query: query, types: []).append(to: &bytes)
        ClientMessage.bind(statement: "", values: []).append(to: &bytes)
        ClientMessage.execute.append(to: &bytes)
    }

    // MARK: Decoding, as a server does

    /// Decodes a startup message, or a request to cancel, from its body.
    package init(startup body: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ByteReader(body, reading: "Postgres startup message")
        let version = try reader.int32()
        if version == ClientMessage.cancelCode {
            self = .cancel(process: try reader.int32(), key: reader.rest())
            return
        }
        guard version == ClientMessage.version else {
            throw reader.error(expected: "version \(ClientMessage.version)", found: "\(version)")
        }
        var parameters: [(name: String, value: String)] = []
        while case let name = try reader.string(), !name.isEmpty {
            parameters.append((name, try reader.string()))
        }
        try reader.finish()
        self = .startup(parameters)
    }

    /// - Parameter isSASL: decides whether `p` is a password or a piece of SASL, as the server knows.
    package init(
        type: UInt8, body: ArraySlice<UInt8>, isSASL: Bool = false
    ) throws(ProtocolError) {
        var reader = ByteReader(
            body, reading: "Postgres client message \(ProtocolError.show(type))")
        switch type {
        case UInt8(ascii: "p") where isSASL:
            self = .saslResponse(String(decoding: reader.rest(), as: UTF8.self))
        case UInt8(ascii: "p"): self = .password(try reader.string())
        case UInt8(ascii: "Q"): self = .query(try reader.string())
        case UInt8(ascii: "P"):
            let (statement, query) = (try reader.string(), try reader.string())
            var types: [Int32] = []
            for _ in 0..<(try reader.count()) { types.append(try reader.int32()) }
            self = .parse(statement: statement, query: query, types: types)
        case UInt8(ascii: "B"):
            _ = try reader.string()
            let statement = try reader.string()
            let formats = try reader.count()
            var areBinary = false
            for _ in 0..<formats { areBinary = try reader.count() == 1 }
            var values: [[UInt8]] = []
            for _ in 0..<(try reader.count()) { values.append(try reader.value() ?? []) }
            var results = false
            for _ in 0..<(try reader.count()) { results = try reader.count() == 1 }
            self = .bind(
                statement: statement, values: values, areBinary: areBinary,
                resultsAreBinary: results)
        case UInt8(ascii: "E"):
            _ = try reader.string()
            _ = try reader.int32()
            self = .execute
        case UInt8(ascii: "S"): self = .sync
        case UInt8(ascii: "X"): self = .terminate
        default: throw reader.error(expected: "a known type", found: ProtocolError.show(type))
        }
        try reader.finish()
    }
}
