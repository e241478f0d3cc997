import FoundationEssentials

/// What the server says of itself in INFO, as far as it matters here.
struct ServerInfo: Decodable, Sendable {
    let version: String
    /// The longest message, in bytes.
    let max_payload: Int?
    let tls_required: Bool?

    /// nil where the bytes are no such description.
    init?(_ json: [UInt8]) {
        guard let info = try? JSONDecoder().decode(ServerInfo.self, from: Data(json)) else {
            return nil
        }
        self = info
    }
}

/// What this client says of itself.
struct ClientInfo: Encodable, Sendable {
    /// The server then answers each PUB and SUB, in order, by +OK or -ERR.
    let verbose = true
    let pedantic = false
    /// Without headers a MSG has content alone.
    let headers = false
    let lang = "swift"
    let version = "1"
    let name: String?
    let user: String?
    let pass: String?
    let auth_token: String?

    init(_ url: NATSURL) {
        name = url.name
        user = url.password == nil ? nil : url.user
        pass = url.password
        auth_token = url.password == nil ? url.user : nil
    }

    /// The keys in their order, so that a recorded conversation is the same each time.
    var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return (try? encoder.encode(self)).map { Array($0) } ?? Array("{}".utf8)
    }
}
