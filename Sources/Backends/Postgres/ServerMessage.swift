package import BroadcasterWire

/// A message of a Postgres server (protocol 3.0 and 3.2; "Message Formats" in the Postgres documentation, where it is
/// called a backend message).
package enum ServerMessage: Hashable, Sendable {
    case authentication(Authentication)
    case parameterStatus(name: String, value: String)
    /// The key to cancel by: 4 bytes in protocol 3.0, up to 256 in 3.2.
    case backendKeyData(process: Int32, key: [UInt8])
    case readyForQuery(TransactionStatus)
    case errorResponse(ServerError)
    case noticeResponse(ServerError)
    case notification(process: Int32, channel: [UInt8], payload: [UInt8])
    case commandComplete(String)
    case parseComplete
    case bindComplete
    case closeComplete
    case noData
    case emptyQuery
    case portalSuspended
    /// The types of a statement's parameters.
    case parameterDescription([Int32])
    /// The names of the columns; the client does not need their types.
    case rowDescription([String])
    /// The columns of a row; nil is NULL.
    case dataRow([[UInt8]?])
    /// The newest minor version that the server speaks, and the options that it does not know.
    case negotiateProtocolVersion(newest: Int32, unknown: [String])

    /// The server's demand for a login.
    package enum Authentication: Hashable, Sendable {
        case ok
        case cleartextPassword
        case md5Password(salt: [UInt8])
        case sasl(mechanisms: [String])
        case saslContinue([UInt8])
        case saslFinal([UInt8])
        /// Kerberos, GSSAPI, SSPI and others that the client does not speak.
        case other(code: Int32)
    }

    package enum TransactionStatus: UInt8, Hashable, Sendable {
        case idle = 0x49
        case inTransaction = 0x54
        case failed = 0x45
    }

    // MARK: Decoding

    /// - Parameters:
    ///   - type: the byte before the length.
    ///   - body: the bytes after the length.
    package init(type: UInt8, body: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ByteReader(body, reading: "Postgres message '\(ServerMessage.name(type))'")
        self = try ServerMessage.decode(type, &reader)
        try reader.finish()
    }

    private static func decode(
        _ type: UInt8, _ reader: inout ByteReader
    ) throws(ProtocolError) -> ServerMessage {
        switch type {
        case UInt8(ascii: "R"): return .authentication(try authentication(&reader))
        case UInt8(ascii: "S"):
            return .parameterStatus(name: try reader.string(), value: try reader.string())
        case UInt8(ascii: "K"):
            let process = try reader.int32()
            guard (4...256).contains(reader.remaining) else {
                throw reader.error(
                    expected: "a key of 4 to 256 bytes", found: "\(reader.remaining)")
            }
            return .backendKeyData(process: process, key: reader.rest())
        case UInt8(ascii: "Z"):
            let byte = try reader.byte()
            guard let status = TransactionStatus(rawValue: byte) else {
                throw reader.error(expected: "I, T or E", found: ProtocolError.show(byte))
            }
            return .readyForQuery(status)
        case UInt8(ascii: "E"): return .errorResponse(try ServerError(&reader))
        case UInt8(ascii: "N"): return .noticeResponse(try ServerError(&reader))
        case UInt8(ascii: "A"):
            return .notification(
                process: try reader.int32(), channel: try reader.cString(),
                payload: try reader.cString())
        case UInt8(ascii: "C"): return .commandComplete(try reader.string())
        case UInt8(ascii: "1"): return .parseComplete
        case UInt8(ascii: "2"): return .bindComplete
        case UInt8(ascii: "3"): return .closeComplete
        case UInt8(ascii: "n"): return .noData
        case UInt8(ascii: "I"): return .emptyQuery
        case UInt8(ascii: "s"): return .portalSuspended
        default: return try decodeRare(type, &reader)
        }
    }

    private static func decodeRare(
        _ type: UInt8, _ reader: inout ByteReader
    ) throws(ProtocolError) -> ServerMessage {
        switch type {
        case UInt8(ascii: "t"):
            var types: [Int32] = []
            for _ in 0..<(try reader.count()) { types.append(try reader.int32()) }
            return .parameterDescription(types)
        case UInt8(ascii: "T"):
            var names: [String] = []
            for _ in 0..<(try reader.count()) {
                names.append(try reader.string())
                try reader.skip(18)
            }
            return .rowDescription(names)
        case UInt8(ascii: "D"):
            var columns: [[UInt8]?] = []
            for _ in 0..<(try reader.count()) { columns.append(try reader.value()) }
            return .dataRow(columns)
        case UInt8(ascii: "v"):
            let newest = try reader.int32()
            let count = try reader.int32()
            guard count >= 0, Int(count) <= reader.remaining else {
                throw reader.error(expected: "a count that fits", found: "\(count)")
            }
            var unknown: [String] = []
            for _ in 0..<count { unknown.append(try reader.string()) }
            return .negotiateProtocolVersion(newest: newest, unknown: unknown)
        default:
            throw ProtocolError(
                reading: "Postgres message", expected: "a type that was asked for",
                found: "'\(name(type))'")
        }
    }

    private static func authentication(
        _ reader: inout ByteReader
    ) throws(ProtocolError) -> Authentication {
        let code = try reader.int32()
        switch code {
        case 0: return .ok
        case 3: return .cleartextPassword
        case 5:
            guard reader.remaining == 4 else {
                throw reader.error(expected: "a salt of 4 bytes", found: "\(reader.remaining)")
            }
            return .md5Password(salt: reader.rest())
        case 10:
            var mechanisms: [String] = []
            while case let name = try reader.string(), !name.isEmpty { mechanisms.append(name) }
            return .sasl(mechanisms: mechanisms)
        case 11: return .saslContinue(reader.rest())
        case 12: return .saslFinal(reader.rest())
        default:
            _ = reader.rest()
            return .other(code: code)
        }
    }

    private static func name(_ type: UInt8) -> String {
        (0x21...0x7e).contains(type)
            ? String(UnicodeScalar(type)) : "0x" + String(type, radix: 16)
    }

    // MARK: Encoding, as a server does

    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .authentication(let request):
            PostgresFrame.append("R", to: &bytes) { request.append(to: &$0) }
        case .parameterStatus(let name, let value):
            PostgresFrame.append("S", to: &bytes) { body in
                body.appendCString(name)
                body.appendCString(value)
            }
        case .backendKeyData(let process, let key):
            PostgresFrame.append("K", to: &bytes) { body in
                body.appendInt32(process)
                body += key
            }
        case .readyForQuery(let status):
            PostgresFrame.append("Z", to: &bytes) { $0.append(status.rawValue) }
        case .errorResponse(let error):
            PostgresFrame.append("E", to: &bytes) { error.append(to: &$0) }
        case .noticeResponse(let notice):
            PostgresFrame.append("N", to: &bytes) { notice.append(to: &$0) }
        case .notification(let process, let channel, let payload):
            PostgresFrame.append("A", to: &bytes) { body in
                body.appendInt32(process)
                body += channel + [0] + payload + [0]
            }
        case .commandComplete(let tag):
            PostgresFrame.append("C", to: &bytes) { $0.appendCString(tag) }
        case .parseComplete: PostgresFrame.append("1", to: &bytes) { _ in }
        case .bindComplete: PostgresFrame.append("2", to: &bytes) { _ in }
        case .closeComplete: PostgresFrame.append("3", to: &bytes) { _ in }
        case .noData: PostgresFrame.append("n", to: &bytes) { _ in }
        case .emptyQuery: PostgresFrame.append("I", to: &bytes) { _ in }
        case .portalSuspended: PostgresFrame.append("s", to: &bytes) { _ in }
        case .parameterDescription, .rowDescription, .dataRow, .negotiateProtocolVersion:
            appendRare(to: &bytes)
        }
    }

    private func appendRare(to bytes: inout [UInt8]) {
        switch self {
        case .parameterDescription(let types):
            PostgresFrame.append("t", to: &bytes) { body in
                body.appendInt16(types.count)
                for type in types { body.appendInt32(type) }
            }
        case .rowDescription(let names):
            PostgresFrame.append("T", to: &bytes) { body in
                body.appendInt16(names.count)
                for name in names {
                    body.appendCString(name)
                    body += repeatElement(0, count: 18)
                }
            }
        case .dataRow(let columns):
            PostgresFrame.append("D", to: &bytes) { body in
                body.appendInt16(columns.count)
                for column in columns { body.appendValue(column) }
            }
        case .negotiateProtocolVersion(let newest, let unknown):
            PostgresFrame.append("v", to: &bytes) { body in
                body.appendInt32(newest)
                body.appendInt32(Int32(unknown.count))
                for name in unknown { body.appendCString(name) }
            }
        default: break
        }
    }
}

extension ServerMessage.Authentication {
    fileprivate func append(to body: inout [UInt8]) {
        switch self {
        case .ok: body.appendInt32(0)
        case .cleartextPassword: body.appendInt32(3)
        case .md5Password(let salt):
            body.appendInt32(5)
            body += salt
        case .sasl(let mechanisms):
            body.appendInt32(10)
            for mechanism in mechanisms { body.appendCString(mechanism) }
            body.append(0)
        case .saslContinue(let data):
            body.appendInt32(11)
            body += data
        case .saslFinal(let data):
            body.appendInt32(12)
            body += data
        case .other(let code): body.appendInt32(code)
        }
    }
}
