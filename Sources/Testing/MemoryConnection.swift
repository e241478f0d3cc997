public import Broadcaster
internal import BroadcasterMultiplexing
internal import Synchronization

/// A connection inside the process that can be lost: for tests of what your code does then.
///
/// ```swift
/// let connection = MemoryConnection()
/// let broadcast = Broadcast(connection)
/// try await broadcast.connect()
/// let subscription = try await broadcast.subscribe(to: "orders")
/// connection.lose()                                   // as when Redis restarts
/// connection.clock.advance(by: .seconds(7))
/// connection.restore()
/// // subscription.events yields .gap(…reconnected(after: 7 s)…)
/// ```
///
/// What it does is what a connection to a server does: a subscriber sees one gap when it is back; `publish` waits
/// for it, and throws `.disconnected` when `clock` is moved beyond `publishTimeout`; `connect()` throws
/// `.unreachable` while it is lost. Time is `clock`'s: no test has to wait.
public final class MemoryConnection: Sendable {
    private struct State {
        var isLost = false
        var losesNextAnswer = false
        weak var driver: MemoryConnectionDriver?
    }

    /// The time of everything that a `Broadcast` on this connection does.
    public let clock: ManualClock
    private let state = Mutex(State())

    /// A connection that is there.
    public init(clock: ManualClock = ManualClock()) {
        self.clock = clock
    }

    /// Loses the connection, until `restore()`.
    public func lose(_ reason: String = "lost by the test") {
        let driver = state.withLock { state in
            state.isLost = true
            return state.driver
        }
        driver?.lose(reason)
    }

    /// The next message is taken, and the connection lost before the answer: `publish` throws
    /// `.outcomeUnknown`. Nobody receives the message.
    public func loseBeforeNextAnswer() {
        state.withLock { $0.losesNextAnswer = true }
    }

    /// The connection is there again; every channel is subscribed again.
    public func restore() {
        let driver = state.withLock { state in
            state.isLost = false
            return state.driver
        }
        driver?.restore()
    }

    var isLost: Bool { state.withLock { $0.isLost } }

    func attach(_ driver: MemoryConnectionDriver) {
        state.withLock { $0.driver = driver }
    }

    /// True once after `loseBeforeNextAnswer`: the connection is lost now.
    func takesLastMessage() -> Bool {
        state.withLock { state in
            guard state.losesNextAnswer else { return false }
            state.losesNextAnswer = false
            state.isLost = true
            return true
        }
    }
}

extension Broadcast {
    /// A broadcast on a connection that a test can lose. One connection is for one broadcast.
    public convenience init(
        _ connection: MemoryConnection, options: BroadcastOptions = BroadcastOptions()
    ) {
        self.init(inMemoryWith: options) { hub, observers, makeSession in
            MemoryConnectionDriver(
                connection, hub: hub, observers: observers,
                publishTimeout: options.publishTimeout, makeSession: makeSession)
        }
    }
}
