/// A master with two replicas, and three sentinels that watch them: real ones, on loopback.
package final class SentinelSet: Sendable {
    /// The first is the master at the beginning.
    package let servers: [RedisServer]
    package let ports: [UInt16]
    private let sentinels: [ServerProcess]
    private let folder: String

    package static let service = "mymaster"

    /// Returns when all three sentinels know each other and both replicas.
    package init() async throws {
        let quick = ["--repl-diskless-sync-delay", "0"]
        let master = try await RedisServer(quick)
        var servers = [master]
        for _ in 0..<2 {
            servers.append(
                try await RedisServer(quick + ["--replicaof", "127.0.0.1", "\(master.port)"]))
        }
        self.servers = servers
        folder = try TemporaryFolder.make()
        ports = try (0..<3).map { _ in try FreePort.find() }
        sentinels = try ports.map { [folder] port in
            let file = "\(folder)/\(port).conf"
            let lines = [
                "port \(port)", "bind 127.0.0.1", "dir \(folder)",
                "sentinel monitor \(Self.service) 127.0.0.1 \(master.port) 2",
                "sentinel down-after-milliseconds \(Self.service) 1000",
                "sentinel failover-timeout \(Self.service) 3000",
                "sentinel parallel-syncs \(Self.service) 1",
            ]
            TemporaryFolder.write(lines.map { $0 + "\n" }.joined(), to: file)
            return try ServerProcess([Programs.redis, file, "--sentinel"])
        }
        for port in ports {
            while try await !isWatching(port) { await Task.yield() }
        }
    }

    deinit {
        for sentinel in sentinels { sentinel.signal(9) }
        TemporaryFolder.remove(folder)
    }

    private func isWatching(_ port: UInt16) async throws -> Bool {
        let quorum = try await ask(port, "SENTINEL", "CKQUORUM", Self.service)
        guard quorum.first?.hasPrefix("OK 3") == true else { return false }
        let replicas = try await ask(port, "SENTINEL", "REPLICAS", Self.service)
        return replicas.count(where: { $0 == "runid" }) == 2
            && !replicas.contains { $0.contains("err") || $0.contains("disconnected") }
    }

    /// Asks one sentinel. Returns redis-cli's output.
    package func ask(_ port: UInt16, _ words: String...) async throws -> [String] {
        let client = try ServerProcess([Programs.redisCLI, "-p", "\(port)"] + words)
        return await client.remainingLines()
    }

    /// The server that the first sentinel names.
    package func master() async throws -> RedisServer? {
        let answer = try await ask(ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self.service)
        return servers.first { "\($0.port)" == answer.last }
    }

    /// A URL that names all sentinels.
    package func url(_ query: String = "", scheme: String = "redis-sentinel") -> String {
        let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        return "\(scheme)://\(hosts)?master=\(Self.service)" + (query.isEmpty ? "" : "&\(query)")
    }

    package func endSentinel(_ number: Int) async {
        sentinels[number].signal(9)
        _ = await sentinels[number].waitForExit()
    }
}
