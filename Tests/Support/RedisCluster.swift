/// A real cluster on loopback: three masters, each with a replica.
package final class RedisCluster: Sendable {
    package let servers: [RedisServer]

    /// Returns when all nodes say that the cluster is well.
    package init() async throws {
        var servers: [RedisServer] = []
        for _ in 0..<6 {
            servers.append(
                try await RedisServer([
                    "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                    "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
                ]))
        }
        self.servers = servers
        let create = try ServerProcess(
            [Programs.redisCLI, "--cluster", "create"] + servers.map { "127.0.0.1:\($0.port)" }
                + ["--cluster-replicas", "1", "--cluster-yes"])
        _ = await create.remainingLines()
        for server in servers {
            while try await !server.command("CLUSTER", "INFO").contains(where: {
                $0.hasPrefix("cluster_state:ok")
            }) { await Task.yield() }
        }
    }

    /// A URL that names all nodes.
    package func url(_ query: String = "") -> String {
        "redis-cluster://" + servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
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

    /// Moves a slot to another master, as `CLUSTER SETSLOT` does it.
    package func move(_ slot: String, from: RedisServer, to: RedisServer) async throws {
        let source = try await from.command("CLUSTER", "MYID").last ?? ""
        let target = try await to.command("CLUSTER", "MYID").last ?? ""
        _ = try await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source)
        _ = try await from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target)
        _ = try await to.command("CLUSTER", "SETSLOT", slot, "NODE", target)
        _ = try await from.command("CLUSTER", "SETSLOT", slot, "NODE", target)
    }
}
