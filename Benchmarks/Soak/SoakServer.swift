import BroadcasterTestSupport

/// A server that the soak started, and what it does to it.
protocol SoakServer: Sendable {
    var port: UInt16 { get }
    /// Where the independent publisher goes.
    var socketPath: String { get }
    var publisherRate: Int { get }
    var hasPatterns: Bool { get }
    func makeDialect() -> any PublisherDialect
    /// The library's way to it, through a proxy.
    func url(throughPort port: UInt16) -> String

    /// SIGSTOP: connections stay, and nobody answers.
    func freeze() async
    func thaw() async
    /// Ends it as a crash does.
    func kill() async
    func start() async throws
    /// Ends connections from the server's side; says which.
    func expel(_ random: inout SeededRandom) async throws -> String
    /// A trouble of its own kind; says which.
    func disturb(_ random: inout SeededRandom) async throws -> String
}

/// What the soak runs against.
enum SoakBackend: String, CaseIterable, Sendable {
    case redis
    case redis2
    case postgres

    /// Why it cannot run here, if it cannot.
    var missingProgram: String? {
        let programs =
            switch self {
            case .redis, .redis2: [Programs.redis, Programs.redisCLI]
            case .postgres: [Programs.postgres, Programs.postgresFolder + "/psql"]
            }
        return programs.first { !Programs.exists($0) }
    }

    func makeServer() async throws -> any SoakServer {
        switch self {
        case .redis: try await RedisSoakServer(protocolVersion: 3)
        case .redis2: try await RedisSoakServer(protocolVersion: 2)
        case .postgres: try await PostgresSoakServer()
        }
    }
}
