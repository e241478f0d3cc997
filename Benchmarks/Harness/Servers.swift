import BroadcasterTestSupport
import Glibc
import Synchronization

/// The servers of the workloads, started when one first needs them.
///
/// Released before the end, or on a signal; that kills them and removes their folders.
final class Servers: Sendable {
    private let started = Mutex<(redis: RedisServer?, postgres: PostgresServer?)>((nil, nil))

    /// nil: there is no redis-server on this machine.
    func redis() async throws -> RedisServer? {
        guard Programs.exists(Programs.redis) else { return nil }
        if let server = started.withLock({ $0.redis }) { return server }
        let server = try await RedisServer()
        started.withLock { $0.redis = server }
        return server
    }

    func postgres() async throws -> PostgresServer? {
        guard Programs.exists(Programs.postgres) else { return nil }
        if let server = started.withLock({ $0.postgres }) { return server }
        let server = try await PostgresServer()
        started.withLock { $0.postgres = server }
        return server
    }

    func release() {
        started.withLock { $0 = (nil, nil) }
    }
}
