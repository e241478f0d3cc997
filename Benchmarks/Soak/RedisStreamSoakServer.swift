import BroadcasterSockets
import BroadcasterTestSupport
import Glibc

/// Redis Streams, on a server that forgets nothing when it dies.
struct RedisStreamSoakServer: SoakServer {
    let publisherRate = 1000
    let hasPatterns = false
    let keepsHistory = true
    private let server: RedisServer

    init() async throws {
        server = try await RedisServer(["--appendonly", "yes", "--appendfsync", "always"])
    }

    var port: UInt16 { server.port }

    func publisherAddress() throws -> SocketAddress {
        try SocketAddress(unixPath: server.socketPath)
    }

    func makeDialect() -> any PublisherDialect { RedisDialect(keepsHistory: true) }

    func url(throughPort port: UInt16) -> String {
        "redis-stream://127.0.0.1:\(port)?ping=500ms&connect_timeout=2s"
    }

    func freeze() async { await server.signal(SIGSTOP, waits: false) }
    func thaw() async { await server.signal(SIGCONT, waits: false) }
    func kill() async { await server.kill() }
    func start() async throws { try await server.start() }

    /// All, or only the connection on which XREAD waits.
    func expel(_ random: inout SeededRandom) async throws -> String {
        guard Bool.random(using: &random), let waiting = try await waitingClient() else {
            let count = try await server.command("CLIENT", "KILL", "TYPE", "normal").first ?? "?"
            return "CLIENT KILL TYPE normal, \(count) killed"
        }
        let count = try await server.command("CLIENT", "KILL", "ID", waiting).first ?? "?"
        return "CLIENT KILL of the waiting one, \(count) killed"
    }

    func disturb(_ random: inout SeededRandom) async throws -> String {
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            let time = Int.random(in: 100...400, using: &random)
            _ = try await server.command("CLIENT", "PAUSE", "\(time)", "ALL")
            return "CLIENT PAUSE \(time) ALL"
        case 1:
            _ = try await server.command("BGREWRITEAOF")
            return "BGREWRITEAOF"
        case let kind:
            guard let waiting = try await waitingClient() else { return "nobody waits" }
            let way = kind == 2 ? "TIMEOUT" : "ERROR"
            let count =
                try await server.command("CLIENT", "UNBLOCK", waiting, way).first ?? "?"
            return "CLIENT UNBLOCK \(way), \(count) unblocked"
        }
    }

    private func waitingClient() async throws -> String? {
        let line = try await server.command("CLIENT", "LIST").first { $0.contains("cmd=xread") }
        return line?.split(separator: " ").first { $0.hasPrefix("id=") }
            .map { String($0.dropFirst(3)) }
    }
}
