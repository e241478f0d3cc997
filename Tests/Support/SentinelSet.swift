/// A master with two replicas, and three sentinels that watch them: real ones, on loopback.
package final class SentinelSet: Sendable {
    /// The first is the master at the beginning.
    package let servers: [RedisServer]
    package let ports: [UInt16]
    private let sentinels: [ServerProcess]
    private let folder: String
    private let isSecure: Bool

    package static let service = "mymaster"

    /// Returns when all three sentinels know each other and both replicas.
    ///
    /// - Parameter certificate: with one, of those of `Certificates`, all of them speak TLS.
    package init(certificate: String? = nil) async throws {
        isSecure = certificate != nil
        let security = isSecure ? ["--tls-replication", "yes"] : []
        let quick = ["--repl-diskless-sync-delay", "0"] + security
        let master = try await RedisServer(quick, certificate: certificate)
        let port = isSecure ? master.securePort : master.port
        var servers = [master]
        for _ in 0..<2 {
            servers.append(
                try await RedisServer(
                    quick + ["--replicaof", "127.0.0.1", "\(port)"], certificate: certificate))
        }
        self.servers = servers
        folder = try TemporaryFolder.make()
        ports = try (0..<3).map { _ in try FreePort.find() }
        sentinels = try ports.map { [folder, isSecure] number in
            let file = "\(folder)/\(number).conf"
            var lines = [
                "bind 127.0.0.1", "dir \(folder)",
                "sentinel monitor \(Self.service) 127.0.0.1 \(port) 2",
                "sentinel down-after-milliseconds \(Self.service) 1000",
                "sentinel failover-timeout \(Self.service) 3000",
                "sentinel parallel-syncs \(Self.service) 1",
            ]
            if isSecure, let certificate {
                lines += [
                    "port 0", "tls-port \(number)", "tls-replication yes", "tls-auth-clients no",
                    "tls-cert-file \(Certificates.certificate(certificate))",
                    "tls-key-file \(Certificates.key(certificate))",
                    "tls-ca-cert-file \(Certificates.certificate("ca"))",
                ]
            } else {
                lines.append("port \(number)")
            }
            TemporaryFolder.write(lines.map { $0 + "\n" }.joined(), to: file)
            return try ServerProcess([Programs.redis, file, "--sentinel"])
        }
        for port in ports {
            while try await !isWatching(port) { await lookAgain() }
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
        let security = isSecure ? ["--tls", "--cacert", Certificates.certificate("ca")] : []
        let client = try ServerProcess([Programs.redisCLI, "-p", "\(port)"] + security + words)
        return await client.remainingLines()
    }

    /// The server that the first sentinel names.
    package func master() async throws -> RedisServer? {
        let answer = try await ask(ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self.service)
        return servers.first { "\(isSecure ? $0.securePort : $0.port)" == answer.last }
    }

    /// Returns when a server that was a replica says that it is the master, and which one does.
    package func promotion(besides old: RedisServer) async throws -> RedisServer {
        while true {
            for server in servers where server !== old {
                if try await server.command("ROLE").first == "master" { return server }
            }
        }
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
