/// A real cluster on loopback: three masters, each with a replica.
package final class RedisCluster: Sendable {
    package let servers: [RedisServer]

    /// The certificate for TLS, of those of `Certificates`; nil: no TLS.
    private let certificate: String?

    /// Returns when all nodes say that the cluster is well.
    ///
    /// - Parameters:
    ///   - arguments: more of them for each node.
    ///   - certificate: with one, the nodes speak TLS with their clients and with each other.
    package init(_ arguments: [String] = [], certificate: String? = nil) async throws {
        self.certificate = certificate
        var servers: [RedisServer] = []
        for _ in 0..<6 {
            servers.append(try await RedisCluster.node(arguments, certificate))
        }
        self.servers = servers
        var words = [Programs.redisCLI, "--cluster", "create"] + servers.map(address)
        words += ["--cluster-replicas", "1", "--cluster-yes"]
        if let place = arguments.firstIndex(of: "--requirepass") {
            words += ["-a", arguments[place + 1], "--no-auth-warning"]
        }
        if certificate != nil { words += ["--tls", "--cacert", Certificates.certificate("ca")] }
        _ = await (try ServerProcess(words)).remainingLines()
        for server in servers { try await waitUntilWell(server) }
    }

    private static func node(
        _ arguments: [String], _ certificate: String?
    ) async throws -> RedisServer {
        let security =
            certificate == nil ? [] : ["--tls-cluster", "yes", "--tls-replication", "yes"]
        return try await RedisServer(
            [
                "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
            ] + security + arguments, certificate: certificate)
    }

    private func address(_ server: RedisServer) -> String {
        "127.0.0.1:\(certificate == nil ? server.port : server.securePort)"
    }

    private func waitUntilWell(_ server: RedisServer) async throws {
        while try await !server.command("CLUSTER", "INFO").contains(where: {
            $0.hasPrefix("cluster_state:ok")
        }) { await lookAgain() }
    }

    /// Returns when each node tells of all replicas: it leaves out those that have not copied their master yet.
    package func waitForReplicas() async throws {
        for server in servers {
            while true {
                let lines = try await server.command("CLUSTER", "SLOTS")
                let ports = servers.map { "\(certificate == nil ? $0.port : $0.securePort)" }
                // Asked by a socket in the clear, a node of a cluster with TLS tells the other ports.
                let plain = servers.map { "\($0.port)" }
                if ports.allSatisfy(lines.contains) || plain.allSatisfy(lines.contains) { break }
                await lookAgain()
            }
        }
    }

    /// Adds an empty node. Returns when all others know it.
    package func add() async throws -> RedisServer {
        let server = try await RedisCluster.node([], certificate)
        _ = try await server.command("CLUSTER", "MEET", "127.0.0.1", "\(servers[0].port)")
        for other in servers {
            while try await !other.command("CLUSTER", "NODES").contains(where: {
                $0.contains(":\(server.port)@") && !$0.contains("handshake")
            }) { await lookAgain() }
        }
        try await waitUntilWell(server)
        return server
    }

    /// Makes all nodes forget one, which has no slots.
    package func forget(_ server: RedisServer) async throws {
        let name = try await server.command("CLUSTER", "MYID").last ?? ""
        for other in servers { _ = try await other.command("CLUSTER", "FORGET", name) }
    }

    /// A URL that names all nodes.
    package func url(_ query: String = "", scheme: String = "redis-cluster") -> String {
        scheme + "://" + servers.map(address).joined(separator: ",")
            + (query.isEmpty ? "" : "?" + query)
    }

    /// The master of a channel's slot, as the first node that answers has it.
    package func owner(of channel: String) async throws -> RedisServer? {
        for server in servers {
            guard let slot = try await server.command("CLUSTER", "KEYSLOT", channel).last,
                let slot = Int(slot.filter(\.isNumber))
            else { continue }
            // `id ip:port@bus flags … 0-5460`
            for line in try await server.command("CLUSTER", "NODES") {
                let words = line.split(separator: " ")
                let holds = words.dropFirst(8).contains { range in
                    let ends = range.split(separator: "-").compactMap { Int($0) }
                    return ends.count == 2 ? ends[0] <= slot && slot <= ends[1] : ends == [slot]
                }
                if holds, !words[2].contains("fail") {
                    let port = words[1].split(separator: "@")[0].split(separator: ":").last
                    return servers.first { "\($0.port)" == port.map(String.init) }
                }
            }
        }
        return nil
    }

    /// A channel on each master, by the masters' order.
    package func channels() async throws -> [(channel: String, owner: RedisServer)] {
        var found: [(channel: String, owner: RedisServer)] = []
        for number in 0..<64 where found.count < 3 {
            guard let owner = try await owner(of: "c\(number)") else { continue }
            if !found.contains(where: { $0.owner === owner }) {
                found.append(("c\(number)", owner))
            }
        }
        return found
    }

    /// Moves a channel's slot to another master, as `CLUSTER SETSLOT` does it.
    ///
    /// - Parameter keys: keys of the slot, which move too.
    package func move(
        slotOf channel: String, from: RedisServer, to: RedisServer, keys: [String] = []
    ) async throws {
        let answer = try await from.command("CLUSTER", "KEYSLOT", channel)
        let slot = (answer.last ?? "").filter(\.isNumber)
        let source = try await from.command("CLUSTER", "MYID").last ?? ""
        let target = try await to.command("CLUSTER", "MYID").last ?? ""
        _ = try await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source)
        _ = try await from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target)
        for key in keys {
            _ = try await from.command(
                "MIGRATE", "127.0.0.1", "\(to.port)", key, "0", "10000", "REPLACE")
        }
        _ = try await to.command("CLUSTER", "SETSLOT", slot, "NODE", target)
        _ = try await from.command("CLUSTER", "SETSLOT", slot, "NODE", target)
    }
}
