package import BroadcasterWire

/// A driver makes a session run: over sockets (`ServerDriver`), or inside the process (`LocalDriver`).
package protocol Driver: AnyObject, Sendable {
    /// Returns when the session is ready for the first time.
    func start() async throws(ConnectionFailure) -> ServerIdentity

    /// Its subscribers. A hub lives and ends with its driver.
    var hub: Hub { get }

    /// The session has been ready, and `stop` has not been called.
    var isReady: Bool { get }

    /// Waits on the caller's actor.
    func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Receipt, PublishFailure>

    func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Receipt, PublishFailure>]

    /// Asks the server for an answer. Returns how long that took.
    func ping() async throws(ConnectionFailure) -> Duration

    /// Calls `action` once at `deadline`, unless the result is called before.
    func schedule(at deadline: Instant, _ action: @escaping @Sendable () -> Void)
        -> @Sendable () -> Void

    /// Fails the call of `subscribe` that still waits as `subscriber`, since `start`: its deadline has come.
    func expire(subscriber: Int, waitingSince start: Instant)

    /// Says goodbye to the server and ends. Nothing runs afterwards.
    func stop() async

    /// The time that deadlines are counted in.
    var now: Instant { get }

    /// The executor of the driver's own work, for tasks that want to run there; nil where it has no thread.
    var executor: (any TaskExecutor)? { get }

    var published: Int { get }
    var reconnects: Int { get }
}

extension Driver {
    package var now: Instant { .now }
    package var executor: (any TaskExecutor)? { nil }

    package func expire(subscriber: Int, waitingSince start: Instant) {
        hub.cancelPending(subscriber, .timedOut)
    }
}
