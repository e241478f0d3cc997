import BroadcasterSockets
import BroadcasterTestSupport
import Glibc

struct RedisSoakServer: SoakServer {
    let publisherRate = 2000
    let hasPatterns = true
    private let server: RedisServer
    private let protocolVersion: Int
    private let isSecure: Bool

    init(protocolVersion: Int, isSecure: Bool = false) async throws {
        server = try await RedisServer(certificate: isSecure ? "good" : nil)
        self.protocolVersion = protocolVersion
        self.isSecure = isSecure
    }

    var port: UInt16 { isSecure ? server.securePort : server.port }
    func publisherAddress() throws -> SocketAddress {
        try SocketAddress(unixPath: server.socketPath)
    }
    func makeDialect() -> any PublisherDialect { RedisDialect() }

    func url(throughPort port: UInt16) -> String {
        let query = "protocol=\(protocolVersion)&ping=500ms&connect_timeout=2s"
        let authority = "ssl_ca_certs=\(Certificates.certificate("ca"))"
        return isSecure
            ? "rediss://localhost:\(port)?\(query)&\(authority)"
            : "redis://127.0.0.1:\(port)?\(query)"
    }

    func freeze() async { await server.signal(SIGSTOP, waits: false) }
    func thaw() async { await server.signal(SIGCONT, waits: false) }
    func kill() async { await server.kill() }
    func start() async throws { try await server.start() }

    func expel(_ random: inout SeededRandom) async throws -> String {
        let kind = ["pubsub", "normal"].randomElement(using: &random) ?? "pubsub"
        let count = try await server.command("CLIENT", "KILL", "TYPE", kind).first ?? "?"
        return "CLIENT KILL TYPE \(kind), \(count) killed"
    }

    func disturb(_ random: inout SeededRandom) async throws -> String {
        let time = Int.random(in: 100...400, using: &random)
        _ = try await server.command("CLIENT", "PAUSE", "\(time)", "ALL")
        return "CLIENT PAUSE \(time) ALL"
    }
}
