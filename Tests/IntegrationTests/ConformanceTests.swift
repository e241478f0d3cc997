import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

/// What a program may rely on whatever its URL says: the same checks on every backend. A new backend is a test here.
@Suite(.timeLimit(.minutes(2)))
struct ConformanceTests {
    /// The machine may be busy with all the other tests.
    private static let options: BroadcastOptions = {
        var options = BroadcastOptions()
        options.connectTimeout = .seconds(50)
        options.publishTimeout = .seconds(50)
        options.subscribeTimeout = .seconds(50)
        return options
    }()

    private func checkAll(_ url: String) async throws {
        try await Conformance.checkAll { try Broadcast(url.patient, options: Self.options) }
    }

    @Test func memory() async throws {
        try await checkAll("memory://")
    }

    /// The connection of the testing kit, which is to be like a server's.
    @Test func memoryConnection() async throws {
        try await Conformance.checkAll { Broadcast(MemoryConnection(), options: Self.options) }
    }

    @Test func loopbackBackend() async throws {
        struct Plain: LoopbackBackend {}
        try await Conformance.checkAll { Broadcast(Plain(), options: Self.options) }
    }

    @Test(
        .enabled(if: Programs.areAvailable(Programs.redis), "needs redis-server"),
        arguments: [2, 3])
    func redis(version: Int) async throws {
        let server = try await RedisServer()
        try await checkAll("\(server.url)?protocol=\(version)")
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.postgres), "needs Postgres"))
    func postgres() async throws {
        let server = try await PostgresServer()
        try await checkAll(server.url())
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.rabbitmq), "needs rabbitmq-server"))
    func rabbitMQ() async throws {
        let server = try await RabbitMQServer.shared.value
        try await checkAll(server.url("?exchange=conformance"))
    }
}
