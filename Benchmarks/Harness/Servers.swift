import BroadcasterTestSupport
import Glibc
import Synchronization

/// The servers of the workloads, started at the first use.
///
/// The harness ends them before it ends, also on a signal, and also one that is just starting then.
final class Servers: Sendable {
    private struct State {
        var redis: Task<RedisServer, any Error>?
        var postgres: Task<PostgresServer, any Error>?
        var rabbitmq: Task<RabbitMQServer, any Error>?
        var isEnding = false
    }

    private let state = Mutex(State())

    /// Starts redis-server; nil if there is none on this machine.
    func redis() async throws -> RedisServer? {
        guard Programs.exists(Programs.redis) else { return nil }
        let starting = state.withLock { state in
            if state.redis == nil, !state.isEnding {
                state.redis = Task {
                    try await RedisServer(certificate: Certificates.areAvailable ? "good" : nil)
                }
            }
            return state.redis
        }
        return try await starting?.value
    }

    func postgres() async throws -> PostgresServer? {
        guard Programs.exists(Programs.postgres) else { return nil }
        let starting = state.withLock { state in
            if state.postgres == nil, !state.isEnding {
                state.postgres = Task { try await PostgresServer() }
            }
            return state.postgres
        }
        return try await starting?.value
    }

    func rabbitmq() async throws -> RabbitMQServer? {
        guard Programs.exists(Programs.rabbitmq) else { return nil }
        let starting = state.withLock { state in
            if state.rabbitmq == nil, !state.isEnding {
                state.rabbitmq = Task { try await RabbitMQServer() }
            }
            return state.rabbitmq
        }
        return try await starting?.value
    }

    /// Ends the servers, even those in use, and removes their folders. No other starts after that.
    func end() async {
        let (redis, postgres, rabbitmq) = state.withLock { state in
            state.isEnding = true
            return (state.redis, state.postgres, state.rabbitmq)
        }
        // It ends with this process, whose watcher removes its folder.
        if let rabbitmq = try? await rabbitmq?.value {
            await rabbitmq.signal(SIGKILL, waits: false)
        }
        if let redis = try? await redis?.value {
            await redis.kill()
            _ = system("rm -rf '\(redis.folder)'")
        }
        if let postgres = try? await postgres?.value {
            await postgres.stop(SIGQUIT)
            _ = system("rm -rf '\(postgres.folder)'")
        }
    }
}
