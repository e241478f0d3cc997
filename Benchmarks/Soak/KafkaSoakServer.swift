import BroadcasterSockets
import BroadcasterTestSupport
import Glibc
import Synchronization

/// Tansu, which advertises the proxy's address: a client of Kafka goes where the brokers send it.
struct KafkaSoakServer: SoakServer {
    let publisherRate = 500
    let hasPatterns = false
    /// Each topic is a log of its own.
    let ordersChannels = false
    private let server: TansuServer
    private let advertised: Advertised

    private final class Advertised: Sendable {
        let port = Mutex<UInt16?>(nil)
    }

    init() async throws {
        server = try await TansuServer()
        advertised = Advertised()
    }

    var port: UInt16 { server.port }

    func publisherAddress() throws -> SocketAddress {
        try NameResolution.resolve(host: "127.0.0.1", port: server.port)[0]
    }

    func isBehind(proxyPort: UInt16) async throws {
        advertised.port.withLock { $0 = proxyPort }
        await kill()
        try await start()
    }

    func makeDialect() -> any PublisherDialect {
        KafkaDialect(channels: Audience.channels + [Audience.visited])
    }

    func url(throughPort port: UInt16) -> String {
        "kafka://127.0.0.1:\(port)?ping=500ms&connect_timeout=2s"
    }

    /// What it had in memory is gone when it was killed. All else is kept, so that nothing else is a gap, but for what a
    /// slow subscriber's buffer drops: as many as it says, which the checker counts.
    func gapsAllowed(restarts: Int) -> [String: Int]? {
        ["reset": restarts * (Audience.channels.count + 1), "overflow": .max]
    }

    func freeze() async { server.signal(SIGSTOP) }
    func thaw() async { server.signal(SIGCONT) }
    func kill() async { await server.kill() }
    func start() async throws {
        try await server.start(advertised: advertised.port.withLock { $0 })
    }

    /// Tansu has no command for it.
    func expel(_ random: inout SeededRandom) async throws -> String {
        "by nobody: Tansu cannot"
    }

    /// A server that comes to its work now and then, as on a machine without time to spare.
    func disturb(_ random: inout SeededRandom) async throws -> String {
        let count = Int.random(in: 3...8, using: &random)
        for _ in 0..<count {
            server.signal(SIGSTOP)
            try await Task.sleep(for: .milliseconds(Int.random(in: 5...120, using: &random)))
            server.signal(SIGCONT)
            try await Task.sleep(for: .milliseconds(Int.random(in: 5...60, using: &random)))
        }
        return "\(count) halts"
    }
}
