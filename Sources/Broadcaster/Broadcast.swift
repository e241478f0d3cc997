package import BroadcasterMultiplexing
public import BroadcasterWire
internal import Synchronization

/// Publishes messages to named channels and subscribes to them, over Redis, Postgres, RabbitMQ, Kafka, or in memory.
///
/// Its life: `init` → `connect()` → publish and subscribe from any task → `disconnect()`. One `Broadcast` a
/// process is enough: it shares one connection among all its subscribers and publishers. A lost
/// connection is re-established by itself; subscribers see a gap.
///
/// ```swift
/// let broadcast = try Broadcast("redis://localhost:6379")
/// try await broadcast.connect()
/// let subscription = try await broadcast.subscribe(to: "chatroom")
/// try await broadcast.publish("hello", to: "chatroom")
/// for try await message in subscription { print(message.channel, message.text) }
/// ```
public final class Broadcast: Sendable {
    let backend: any Backend
    private let makeDriver: DriverMaker
    /// Makes the driver that carries out `migration`.
    let makeMigrator: DriverMaker?
    let publishTimeout: Duration
    let options: BroadcastOptions
    private let board = StatusBoard()
    private let state = Mutex(State())

    private struct State {
        var driver: (any Driver)?
        /// The driver being stopped; another `disconnect()` awaits it too.
        var leaving: (any Driver)?
        /// Calls of `connect()` that wait for it.
        var connecting = 0
        var runs = RunLedger()
        /// The counts of drivers that are gone.
        var past = DriverCounts()

        /// Takes the driver out, and keeps its counts.
        mutating func forget() -> (any Driver)? {
            connecting = 0
            if let driver { past.add(driver) }
            return driver.take()
        }
    }

    /// A broadcast over the server that `url` names; nothing is connected yet.
    ///
    /// - Throws: `.invalidURL`, which says what is wrong and never shows a password.
    public convenience init(
        _ url: String, options: BroadcastOptions = BroadcastOptions()
    ) throws(BroadcastError) {
        try self.init(url, backends: [], options: options)
    }

    /// A broadcast over the server that `url` names, which may be of a kind that this package does not know: see the
    /// article <doc:AddingABackend>. Nothing is connected yet.
    ///
    /// ```swift
    /// let broadcast = try Broadcast("nats://127.0.0.1", backends: [NATSBackend.self])
    /// ```
    ///
    /// - Parameters:
    ///   - url: the server, and options by name.
    ///   - backends: are asked for the URL's scheme before those of this package.
    ///   - options: whatever the URL does not say.
    /// - Throws: `.invalidURL`, which says what is wrong. What a backend throws is shown as it is.
    public init(
        _ url: String, backends: [any URLBackend.Type],
        options: BroadcastOptions = BroadcastOptions()
    ) throws(BroadcastError) {
        let options = options.clamped()
        do throws(ServerURLError) {
            let common: CommonOptions
            (backend, common) = try StandardBackends.backend(
                for: url, before: backends, options: options)
            makeDriver = driverMaker(for: backend, common, options)
            makeMigrator = backend.migrating.map { driverMaker(for: $0, common, options) }
            publishTimeout = common.publishTimeout
        } catch {
            throw .invalidURL(error.description)
        }
        self.options = options
    }

    /// A broadcast over a backend of your own, for tests.
    public init(_ backend: some LoopbackBackend, options: BroadcastOptions = BroadcastOptions()) {
        let options = options.clamped()
        let common = CommonOptions(options, messageSize: LoopbackAdapter.messageSize)
        let backend = LoopbackAdapter(
            inner: backend, maximumMessageSize: common.maximumMessageSize)
        self.backend = backend
        self.options = options
        publishTimeout = common.publishTimeout
        makeDriver = driverMaker(for: backend, common, options)
        makeMigrator = nil
    }

    /// A broadcast on `memory://`, run by a driver of the caller's choice.
    package init(
        inMemoryWith options: BroadcastOptions,
        makeDriver:
            @escaping @Sendable (any Backend, ConnectionLimits, Hub, Observers)
            throws(ConnectionFailure) -> any Driver
    ) {
        // Not clamped: on a clock that stands still there is a difference between no time and little.
        let common = CommonOptions(options, messageSize: StandardBackends.memoryMessageSize)
        let backend = StandardBackends.memory(maximumMessageSize: common.maximumMessageSize)
        let limits = ConnectionLimits(common, options)
        self.backend = backend
        self.options = options.clamped()
        publishTimeout = options.publishTimeout
        makeMigrator = nil
        self.makeDriver = { (hub, observers) throws(ConnectionFailure) in
            try makeDriver(backend, limits, hub, observers)
        }
    }

    // MARK: Connecting

    /// Connects and logs in. Returns at once if that has been done.
    ///
    /// - Throws: `.unreachable`, `.insecure`, `.connectionLost`, `.authenticationFailed`, `.permissionDenied`, `.refused`,
    ///   `.temporarilyRefused`, `.protocolViolation`, or `.timedOut` with the last reason; `.cancelled` with its task;
    ///   `.notConnected` if `disconnect()` is called meanwhile. After a first success nothing of that is thrown any
    ///   more: it is retried, and told in `status`.
    public func connect() async throws(BroadcastError) {
        if Task.isCancelled { throw .cancelled }
        let driver = try existingOrNewDriver()
        do throws(ConnectionFailure) {
            _ = try await driver.start()
            _ = finishConnecting(driver, nil)
        } catch {
            if finishConnecting(driver, error) { await driver.stop() }
            throw BroadcastError(error)
        }
    }

    /// One call of `connect()` waits no more. True if the driver is of no use to anybody, and to be stopped.
    private func finishConnecting(_ driver: any Driver, _ failure: ConnectionFailure?) -> Bool {
        state.withLock { state in
            guard state.driver === driver else { return false }
            state.connecting -= 1
            switch failure {
            case nil: return false
            case .cancelled? where state.connecting > 0 || driver.isReady: return false
            default: return state.forget() != nil
            }
        }
    }

    private func existingOrNewDriver() throws(BroadcastError) -> any Driver {
        do throws(ConnectionFailure) {
            return try state.withLock { (state) throws(ConnectionFailure) in
                let driver = if let existing = state.driver { existing } else { try newDriver() }
                state.driver = driver
                state.connecting += 1
                return driver
            }
        } catch {
            throw BroadcastError(error)
        }
    }

    func connectedDriver() throws(BroadcastError) -> any Driver {
        guard let driver = state.withLock({ $0.driver }) else { throw .notConnected }
        return driver
    }

    private func newDriver() throws(ConnectionFailure) -> any Driver {
        let (board, hub) = (
            board, Hub(maximumTopics: options.maximumChannels, keepsHistory: backend.keepsHistory)
        )
        let log = options.log
        let generation = board.begin()
        let observers = Observers(
            status: { status in
                var failure: BroadcastError?
                if case .closed(let why) = status, why != .closed {
                    failure = .disconnected(why.description)
                }
                board.post(BroadcastStatus(status), because: failure, from: generation)
            },
            log: { note in log?(BroadcastLogEntry(note)) },
            trace: options.trace)
        return try makeDriver(hub, observers)
    }

    /// Ends every subscription after what it had received, waits for publishes under way, and says goodbye
    /// to the server; `BroadcastOptions.shutdownTimeout` bounds that. Ends `run()` too. `connect()` may follow.
    public func disconnect() async {
        let (leaving, runs) = state.withLock { state in
            state.leaving = state.forget() ?? state.leaving
            return (state.leaving, state.runs.takeAll())
        }
        for end in runs { end.finish() }
        await leaving?.stop()
        state.withLock { state in
            if state.leaving === leaving { state.leaving = nil }
        }
    }

    /// Connects, stays until the task is cancelled or `disconnect()` is called, and disconnects: a service, which lives as
    /// long as its program.
    ///
    /// Being cancelled is its usual end, and no error, in every phase: also while it connects, or waits for a server. Of
    /// several calls at the same time the last one to be cancelled disconnects.
    ///
    /// The graceful shutdown of swift-service-lifecycle does not cancel a service, and only code that depends on that
    /// package can see it. So the service is a wrapper of a few lines:
    ///
    /// ```swift
    /// struct BroadcastService: Service {
    ///     let broadcast: Broadcast
    ///
    ///     func run() async throws {
    ///         try await cancelWhenGracefulShutdown { try await broadcast.run() }
    ///     }
    /// }
    /// ```
    ///
    /// - Throws: what `connect()` throws, but for `.cancelled` and `.notConnected`.
    public func run() async throws(BroadcastError) {
        let (stay, end) = AsyncStream<Never>.makeStream()
        let number = state.withLock { $0.runs.begin(end) }
        do throws(BroadcastError) {
            try await connect()
            for await _ in stay {}
        } catch {
            // After `disconnect()`, which is an end that somebody asked for as well.
            guard Task.isCancelled || error == .notConnected else {
                _ = state.withLock { $0.runs.leave(number) }
                throw error
            }
        }
        if state.withLock({ $0.runs.leave(number) }) {
            await disconnect()
        } else {
            await state.withLock { $0.leaving }?.stop()
        }
    }

    /// Returns when the connection is there: at once, where it is. Waits for it as long as it takes, also before `connect()`
    /// or `run()` has been called, so that a service may use what another one connects.
    ///
    /// - Throws: `.cancelled` with its task; `.disconnected` with the reason, if the call of `connect()` or `run()` that was
    ///   under way has failed; `.notConnected` if `disconnect()` is called.
    public func ready() async throws(BroadcastError) {
        var hasBegun = false
        for await status in board.watch() {
            switch status {
            case .ready: return
            case .connecting, .down: hasBegun = true
            case .closed: if hasBegun { throw board.failure ?? .notConnected }
            }
        }
        throw .cancelled
    }

    // MARK: Watching

    /// The status as it is.
    public var status: BroadcastStatus { board.current }

    /// True while the connection is there: for a health check.
    public var isReady: Bool {
        if case .ready = status { true } else { false }
    }

    /// The status as it is, and then each change of it. A watcher that does not look for long misses the oldest of 64
    /// changes, never the newest.
    ///
    /// The stream goes on after `disconnect()`, since `connect()` may follow. It ends with the task that iterates over it, and
    /// with the `Broadcast` itself: a task that watches should not be the one that keeps the `Broadcast` alive.
    public var statuses: AsyncStream<BroadcastStatus> { board.watch() }

    /// The counts of what has been done so far.
    public var statistics: BroadcastStatistics {
        let (driver, past) = state.withLock { ($0.driver, $0.past) }
        var total = past
        if let driver { total.add(driver) }
        return BroadcastStatistics(total, now: driver?.hub.counts ?? Hub.Counts())
    }

    /// The thread that serves the connection, for tasks that must not pay for a change of threads; nil before
    /// `connect()`, and for `memory://`.
    ///
    /// ```swift
    /// await withTaskExecutorPreference(broadcast.executor) { … }
    /// ```
    ///
    /// Whatever runs there keeps the connection waiting: only for tasks that compute little and never block. After
    /// `disconnect()` they go on where tasks without a preference run.
    public var executor: (any TaskExecutor)? { state.withLock { $0.driver }?.executor }

    /// Asks the server for an answer, and returns how long that took.
    ///
    /// - Throws: `.disconnected` while there is no connection; `.connectionLost`, `.protocolViolation`,
    ///   `.temporarilyRefused` or `.refused` if it ends before the answer; `.cancelled`, `.notConnected`.
    public func ping() async throws(BroadcastError) -> Duration {
        if Task.isCancelled { throw .cancelled }
        let driver = try connectedDriver()
        do throws(ConnectionFailure) {
            return try await driver.ping()
        } catch {
            throw BroadcastError(error)
        }
    }
}
