import BroadcasterSockets
import BroadcasterTestSupport
import Glibc

struct RabbitMQSoakServer: SoakServer {
    let publisherRate = 1000
    let hasPatterns = true
    private let server: RabbitMQServer

    init() async throws {
        server = try await RabbitMQServer()
    }

    var port: UInt16 { server.port }

    func publisherAddress() throws -> SocketAddress {
        try NameResolution.resolve(host: "127.0.0.1", port: server.port)[0]
    }

    func makeDialect() -> any PublisherDialect { RabbitMQDialect() }

    /// The independent publisher writes no numbers by which a full queue would be noticed, so the queue has room.
    func url(throughPort port: UInt16) -> String {
        "amqp://127.0.0.1:\(port)?ping=500ms&connect_timeout=2s&max_length=1000000"
    }

    func freeze() async { await server.signal(SIGSTOP, waits: false) }
    func thaw() async { await server.signal(SIGCONT, waits: false) }
    func kill() async { await server.signal(SIGKILL, waits: true) }
    func start() async throws { try await server.start() }

    func expel(_ random: inout SeededRandom) async throws -> String {
        try await server.control("close_all_connections", "soak")
        return "close_all_connections"
    }

    func disturb(_ random: inout SeededRandom) async throws -> String {
        if Bool.random(using: &random) {
            try await server.control("set_vm_memory_high_watermark", "0.0001")
            try await server.control("set_vm_memory_high_watermark", "0.4")
            return "alarm of memory"
        }
        let queues = try await server.control("list_queues", "name").filter {
            $0.hasPrefix("amq.gen")
        }
        for queue in queues { try await server.control("delete_queue", queue) }
        return "\(queues.count) queues deleted"
    }
}
