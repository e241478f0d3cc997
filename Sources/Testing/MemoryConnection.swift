public import Broadcaster
internal import BroadcasterMultiplexing
internal import BroadcasterSockets
internal import BroadcasterWire
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
/// It behaves as a connection to a server, by the same code: a subscriber sees one gap when it is back; `publish` waits
/// for it, and throws `.disconnected` when `clock` is moved beyond `publishTimeout`; `connect()` throws
/// `.unreachable` while it is lost. Time is `clock`'s: no test has to wait.
public final class MemoryConnection: Sendable {
    private struct State {
        var isLost = false
        var attempts = 0
        var losesNextAnswer = false
        var stream: MemoryStream?
        weak var driver: ServerDriver?
    }

    /// The time of everything that a `Broadcast` on this connection does.
    public let clock: ManualClock
    private let state = Mutex(State())

    /// A connection that is there.
    public init(clock: ManualClock = ManualClock()) {
        self.clock = clock
    }

    /// The attempts to connect so far.
    public var attempts: Int { state.withLock { $0.attempts } }

    /// Loses the connection, until `restore()`.
    public func lose(_ reason: String = "lost by the test") {
        let stream = state.withLock { state in
            state.isLost = true
            return state.stream.take()
        }
        stream?.lose(reason)
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
        driver?.retryNow()
    }

    /// True once after `loseBeforeNextAnswer`: the connection is lost now.
    func losesAnswer() -> Bool {
        let losesAnswer = state.withLock { state in
            defer { state.losesNextAnswer = false }
            return state.losesNextAnswer
        }
        if losesAnswer { lose("lost by the test before the answer") }
        return losesAnswer
    }

    /// Ends the stream that there is; the next one can be had at once.
    func hangUp() {
        state.withLock { $0.stream.take() }?.lose("the connection was closed")
    }

    // MARK: The driver

    func makeDriver(
        _ backend: any Backend, limits: ConnectionLimits, hub: Hub, observers: Observers
    ) throws(ConnectionFailure) -> any Driver {
        if let driver = state.withLock({ $0.driver }), !driver.hasEnded {
            throw .rejected(
                Rejection(
                    kind: .permanent,
                    message: "this MemoryConnection has a Broadcast that is connected",
                    advice: "make another connection for another Broadcast"))
        }
        let host = ManualHost(clock: clock) { [weak self] host, _, completion in
            self?.connect(on: host, completion)
            return {}
        }
        let driver = ServerDriver(
            LosableBackend(inner: backend, connection: self), on: host, limits: limits, hub: hub,
            observers: observers)
        state.withLock { $0.driver = driver }
        // A message that waits for the connection sleeps on the clock, as its publisher sees it.
        host.afterEachTurn { [clock, weak driver, id = ObjectIdentifier(driver)] in
            clock.setSleepers(driver?.waitingToPublish ?? 0, of: id)
        }
        return driver
    }

    private func connect(
        on host: ManualHost, _ completion: @escaping ManualHost.Completion
    ) {
        let stream = state.withLock { state -> MemoryStream? in
            state.attempts += 1
            if state.isLost { return nil }
            state.stream = MemoryStream(on: host)
            return state.stream
        }
        if let stream {
            completion(.success(stream))
        } else {
            completion(.failure(SocketError("the connection is lost")))
        }
    }
}

extension Broadcast {
    /// A broadcast on a connection that a test can lose. One connection is for one broadcast: while that is connected,
    /// `connect()` of another one throws `.refused`.
    public convenience init(
        _ connection: MemoryConnection, options: BroadcastOptions = BroadcastOptions()
    ) {
        self.init(inMemoryWith: options, makeDriver: connection.makeDriver)
    }
}
