import Broadcaster
import BroadcasterTestSupport
import Testing

/// A server that keeps history, for one test.
enum HistoryServer: CaseIterable, CustomTestStringConvertible {
    case memory
    case redis
    case postgres
    /// A node takes ten seconds to start: `RabbitMQStreamTests` has one, and runs these tests on it.
    case rabbitmq

    static let allCases: [HistoryServer] = [.memory, .redis, .postgres]

    var testDescription: String { "\(self)" }

    /// Runs `body` with a broadcast over a new server.
    ///
    /// - Parameter count: the messages of each channel that are kept, about.
    func run(
        keeping count: Int = 100_000, _ body: (Broadcast) async throws -> Void
    ) async throws {
        switch self {
        case .memory:
            // A publisher in the process is far quicker than its readers.
            let history = count < 100_000 ? count : 1_000_000
            try await run("memory://?history=\(history)&history_bytes=1000000000", body)
        case .redis:
            guard Programs.areAvailable(Programs.redis, Programs.redisCLI) else { return }
            let server = try await RedisServer()
            try await run(server.streamURL + "?max_length=\(count)", body)
            withExtendedLifetime(server) {}
        case .postgres:
            guard Programs.areAvailable(Programs.postgres) else { return }
            let server = try await PostgresServer()
            let url = server.historyURL + "&max_length=\(count)"
            try await Broadcast(url.patient).migrate()
            try await run(url, body)
            withExtendedLifetime(server) {}
        case .rabbitmq:
            let server = try await RabbitMQStreamTests.node.value
            // Streams of their own, on the node that is these tests'.
            try await run(server.streamURL("history-\(UInt64.random(in: 0...(.max)))"), body)
        }
    }

    /// True if the answer to a publisher says where the message stands. RabbitMQ's confirm says only that it is kept.
    var tellsPosition: Bool { self != .rabbitmq }

    private func run(_ url: String, _ body: (Broadcast) async throws -> Void) async throws {
        let broadcast = try Broadcast(url.patient)
        try await broadcast.connect()
        try await body(broadcast)
        await broadcast.disconnect()
    }
}

extension RedisServer {
    /// The URL of its streams.
    var streamURL: String { "redis-stream://127.0.0.1:\(port)" }
}

extension RabbitMQServer {
    /// The URL of channels that are kept in streams, behind an exchange of this name.
    func streamURL(_ exchange: String) -> String {
        url("?history=stream&stream_max_bytes=100000000&exchange=\(exchange)")
    }
}

extension PostgresServer {
    /// The URL of a history in its tables.
    var historyURL: String { url("admin", "?history=messages") }
}
