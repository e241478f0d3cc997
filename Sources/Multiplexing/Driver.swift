package import BroadcasterWire

/// What makes a session run: over sockets (`Link`), or inside the process (`LocalDriver`).
package protocol Driver: AnyObject, Sendable {
    /// Returns when the session is ready for the first time.
    func start() async throws(LinkFailure) -> ServerIdentity

    /// Its subscribers. A hub lives and ends with its driver.
    var hub: Hub { get }

    /// The session has been ready, and `stop` has not been called.
    var isReady: Bool { get }

    /// The hub may have requests for the server.
    func hubChanged()

    /// Waits on the caller's actor.
    func publish(
        _ payload: Payload, to channel: String, isolation: isolated (any Actor)?
    ) async -> Result<Int?, PublishFailure>

    func publish(
        _ payloads: [Payload], to channel: String, isolation: isolated (any Actor)?
    ) async -> [Result<Int?, PublishFailure>]

    /// How long the server takes to answer.
    func ping() async throws(LinkFailure) -> Duration

    /// Calls `action` once at `deadline`, unless the result is called before.
    func schedule(at deadline: Instant, _ action: @escaping @Sendable () -> Void)
        -> @Sendable () -> Void

    /// Says goodbye to the server and ends. Nothing runs afterwards.
    func stop() async

    /// The time that deadlines are counted in.
    var now: Instant { get }

    /// What its own work runs on; nil where it has no thread.
    var executor: (any TaskExecutor)? { get }

    var published: Int { get }
    var reconnects: Int { get }
}

extension Driver {
    package var now: Instant { .now }
    package var executor: (any TaskExecutor)? { nil }
}

/// What the driver tells whoever watches.
package struct Observers: Sendable {
    package var status: @Sendable (LinkStatus) -> Void
    package var log: @Sendable (LinkNote) -> Void
    /// Lines of a transcript; see `TranscriptLine`. nil costs nothing.
    package var trace: (@Sendable (String) -> Void)?

    package init(
        status: @escaping @Sendable (LinkStatus) -> Void,
        log: @escaping @Sendable (LinkNote) -> Void,
        trace: (@Sendable (String) -> Void)?
    ) {
        self.status = status
        self.log = log
        self.trace = trace
    }

    func trace(_ event: Event, _ hub: Hub) {
        if let trace { TranscriptLine.event(event, topicName: hub.name).forEach(trace) }
    }
}

package enum LinkStatus: Hashable, Sendable {
    case connecting
    case ready(ServerIdentity)
    case down(LinkFailure, retryIn: Duration)
    case closed
}

/// Something worth a line in a log.
package enum LinkNote: Hashable, Sendable {
    case connected(ServerIdentity, Endpoint)
    case lost(LinkFailure, retryIn: Duration)
    case refused(TopicName, Rejection)
    /// The server warns, in these words.
    case warned(String)
    case closed
}
