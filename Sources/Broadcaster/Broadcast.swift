package import BroadcasterMultiplexing
package import BroadcasterWire
internal import Synchronization

/// Publishes messages to named channels and subscribes to them, over Redis, Postgres, or in memory.
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
    private let backend: any Backend
    private let makeDriver: DriverMaker
    private let publishTimeout: Duration
    private let options: BroadcastOptions
    private let board = StatusBoard()
    private let state = Mutex(State())

    private struct State {
        var driver: (any Driver)?
        /// The driver being stopped; another `disconnect()` awaits it too.
        var leaving: (any Driver)?
        /// Calls of `connect()` that wait for it.
        var connecting = 0
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
    public init(
        _ url: String, options: BroadcastOptions = BroadcastOptions()
    ) throws(BroadcastError) {
        let options = options.clamped()
        do throws(URLError) {
            let common: CommonOptions
            (backend, common) = try StandardBackends.backend(for: url, options: options)
            makeDriver = driverMaker(for: backend, common, options)
            publishTimeout = common.publishTimeout
        } catch {
            throw .invalidURL(error.description)
        }
        self.options = options
    }

    /// A broadcast over a backend of your own, for tests.
    public init(_ backend: some LoopbackBackend, options: BroadcastOptions = BroadcastOptions()) {
        let options = options.clamped()
        let backend = LoopbackAdapter(inner: backend)
        let common = CommonOptions(options, messageSize: LoopbackAdapter.messageSize)
        self.backend = backend
        self.options = options
        publishTimeout = common.publishTimeout
        makeDriver = driverMaker(for: backend, common, options)
    }

    /// A broadcast on `memory://`, run by a driver of the caller's choice.
    package init(
        inMemoryWith options: BroadcastOptions,
        makeDriver:
            @escaping @Sendable (any Backend, ConnectionLimits, Hub, Observers) -> any Driver
    ) {
        let backend = StandardBackends.memory
        // Not clamped: on a clock that stands still there is a difference between no time and little.
        let common = CommonOptions(options, messageSize: StandardBackends.memoryMessageSize)
        let limits = ConnectionLimits(common, options)
        self.backend = backend
        self.options = options.clamped()
        publishTimeout = options.publishTimeout
        self.makeDriver = { (hub, observers) throws(ConnectionFailure) in
            makeDriver(backend, limits, hub, observers)
        }
    }

    // MARK: Connecting

    /// Connects and logs in. Returns at once if that has been done.
    ///
    /// - Throws: `.unreachable`, `.connectionLost`, `.authenticationFailed`, `.permissionDenied`, `.refused`,
    ///   `.protocolViolation`, or `.timedOut` with the last reason. After a first success nothing
    ///   of that is thrown any more: it is retried, and told in `status`.
    public func connect() async throws(BroadcastError) {
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

    private func connectedDriver() throws(BroadcastError) -> any Driver {
        guard let driver = state.withLock({ $0.driver }) else { throw .notConnected }
        return driver
    }

    private func newDriver() throws(ConnectionFailure) -> any Driver {
        let (board, hub) = (board, Hub(maximumTopics: options.maximumChannels))
        let log = options.log
        let generation = board.begin()
        let observers = Observers(
            status: { board.post(BroadcastStatus($0), from: generation) },
            log: { note in log?(BroadcastLogEntry(note)) },
            trace: options.trace)
        return try makeDriver(hub, observers)
    }

    /// Ends every subscription after what it had received, waits for publishes under way, and says goodbye
    /// to the server; `BroadcastOptions.shutdownTimeout` bounds that. `connect()` may follow.
    public func disconnect() async {
        let leaving = state.withLock { state in
            state.leaving = state.forget() ?? state.leaving
            return state.leaving
        }
        await leaving?.stop()
        state.withLock { state in
            if state.leaving === leaving { state.leaving = nil }
        }
    }

    /// Connects, stays until the task is cancelled, and disconnects: what a service of
    /// swift-service-lifecycle does in its `run()`.
    public func run() async throws(BroadcastError) {
        try await connect()
        let (forever, end) = AsyncStream<Never>.makeStream()
        for await _ in forever {}
        end.finish()
        await disconnect()
    }

    // MARK: Publishing

    /// Publishes a text. Returns when the server has accepted it.
    ///
    /// - Parameter retry: whether to send again when the answer is lost.
    /// - Returns: how many of the server's clients received it, where the server says so. All subscribers of
    ///   one `Broadcast` are one client.
    /// - Throws: `.disconnected` if nothing was sent before `publishTimeout`; `.outcomeUnknown` if it was sent and
    ///   the answer did not come; `.temporarilyRefused` or `.refused` if the server took it and does not publish it;
    ///   `.invalid` before anything is sent, if the server would not take it.
    @discardableResult
    public func publish(
        _ text: String, to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> Int? {
        try await publish(.text(text), to: channel, retry)
    }

    /// Publishes bytes. As `publish(_:to:)` for text.
    @discardableResult
    public func publish(
        _ bytes: [UInt8], to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> Int? {
        try await publish(.bytes(bytes), to: channel, retry)
    }

    private func publish(
        _ payload: Payload, to channel: String, _ retry: PublishRetry
    ) async throws(BroadcastError) -> Int? {
        if let refusal = backend.refusal(ofPublishing: payload, to: channel) {
            throw .invalid(refusal)
        }
        let driver = try connectedDriver()
        let end = retry == .never ? nil : driver.now + publishTimeout
        var unknown: String?
        while true {
            switch await driver.publish(payload, to: channel, isolation: #isolation) {
            case .success(let receivers): return receivers
            case .failure(.outcomeUnknown(let reason)):
                unknown = reason
                guard let end, driver.now < end, !Task.isCancelled else {
                    throw .outcomeUnknown(reason)
                }
            case .failure(let failure):
                // That it was refused or not sent again says nothing of the first time.
                throw unknown.map { .outcomeUnknown($0) } ?? BroadcastError(failure)
            }
        }
    }

    /// Publishes many texts, in order, without waiting for one before the next is sent.
    ///
    /// - Returns: how many received each, in order.
    /// - Throws: `.incomplete` with the outcome of each, if any was not accepted.
    @discardableResult
    @inlinable
    public func publish(
        contentsOf texts: some Sequence<String>, to channel: String
    ) async throws(BroadcastError) -> [Int?] {
        try await publish(Array(texts), to: channel)
    }

    // Not generic, so that it is compiled once and well; most callers have an array anyway.
    @usableFromInline
    func publish(
        _ texts: [String], to channel: String
    ) async throws(BroadcastError) -> [Int?] {
        try await publish(texts.map(Payload.text), to: channel)
    }

    /// Publishes many messages of bytes, in order. As `publish(contentsOf:to:)` for texts.
    @discardableResult
    public func publish(
        contentsOf messages: some Sequence<[UInt8]>, to channel: String
    ) async throws(BroadcastError) -> [Int?] {
        try await publish(messages.map(Payload.bytes), to: channel)
    }

    private func publish(
        _ payloads: [Payload], to channel: String
    ) async throws(BroadcastError) -> [Int?] {
        for payload in payloads {
            if let refusal = backend.refusal(ofPublishing: payload, to: channel) {
                throw .invalid(refusal)
            }
        }
        let driver = try connectedDriver()
        var receivers: [Int?] = []
        let outcomes = await driver.publish(payloads, to: channel, isolation: #isolation)
        for case .success(let count) in outcomes { receivers.append(count) }
        guard receivers.count < payloads.count else { return receivers }
        throw .incomplete(outcomes.map { $0.mapError { BroadcastError($0) } })
    }

    // MARK: Subscribing

    /// Subscribes to channels. Returns when the server has confirmed them all: whatever is published after
    /// that is delivered, or told as a gap.
    ///
    /// - Parameter buffer: the room for messages that wait for a slow subscriber; by default the options' buffer.
    /// - Throws: `.permissionDenied`, `.refused`, `.timedOut`, `.disconnected` with the last reason, `.invalid`,
    ///   `.notConnected` or `.cancelled`.
    public func subscribe(
        to channels: String..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: channels, buffer: buffer)
    }

    /// Subscribes to channels, and to all channels that match one of `patterns`, as one sequence.
    ///
    /// A pattern has `*` for any characters, `?` for one, `[abc]` for one of these and `\` before a character
    /// that is meant as itself. A message that matches several of them comes once for each.
    public func subscribe(
        to channels: [String], patterns: [String] = [], buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(
            to: channels.map(TopicName.channel) + patterns.map(TopicName.pattern), buffer)
    }

    /// Subscribes to channels whose names need not be UTF-8, as those of Redis's keyspace events for binary keys.
    public func subscribe(
        toBytes names: [UInt8]..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: names.map(TopicName.channel(bytes:)), buffer)
    }

    private func subscribe(
        to topics: [TopicName], _ buffer: SubscriptionBuffer?
    ) async throws(BroadcastError) -> Subscription {
        if topics.isEmpty { throw .invalid("no channel to subscribe to") }
        for topic in topics {
            if let refusal = backend.refusal(of: topic) { throw .invalid(refusal) }
        }
        let driver = try connectedDriver()
        let mailbox = Mailbox(limits: MailboxLimits(buffer ?? options.buffer))
        let hub = driver.hub
        let id = hub.newSubscriber()
        if let failure = await confirmation(
            of: topics, mailbox, id, driver, isolation: #isolation)
        {
            throw BroadcastError(failure)
        }
        return Subscription(topics, mailbox: mailbox) { hub.remove(id) }
    }

    /// Subscribes to all channels that match one of the patterns.
    public func subscribe(
        toPatterns patterns: String..., buffer: SubscriptionBuffer? = nil
    ) async throws(BroadcastError) -> Subscription {
        try await subscribe(to: [], patterns: patterns, buffer: buffer)
    }

    /// Waits for the server's word, the deadline, or the end of the task; nil is a confirmation.
    private func confirmation(
        of topics: [TopicName], _ mailbox: Mailbox, _ id: Int, _ driver: any Driver,
        isolation: isolated (any Actor)?
    ) async -> SubscriptionFailure? {
        let hub = driver.hub
        let start = driver.now
        let deadline = start + options.subscribeTimeout
        let disarm = driver.schedule(at: deadline) { [weak driver] in
            driver?.expire(subscriber: id, waitingSince: start)
        }
        defer { disarm() }
        return await withTaskCancellationHandler(
            operation: {
                _ = isolation
                return await withCheckedContinuation(isolation: isolation) { continuation in
                    hub.add(mailbox, as: id, to: topics, waiter: continuation)
                    if Task.isCancelled { hub.cancelPending(id, .cancelled) }
                    // Both may have come before there was anything to abandon.
                    if driver.now >= deadline {
                        driver.expire(subscriber: id, waitingSince: start)
                    }
                }
            }, onCancel: { hub.cancelPending(id, .cancelled) }, isolation: isolation)
    }

    // MARK: Watching

    /// The status as it is, and then each change of it.
    public var status: AsyncStream<BroadcastStatus> { board.watch() }

    /// The status as it is.
    public var currentStatus: BroadcastStatus { board.current }

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
    /// - Throws: `.disconnected` while there is no connection; `.unreachable` if it is lost before the answer.
    public func ping() async throws(BroadcastError) -> Duration {
        let driver = try connectedDriver()
        do throws(ConnectionFailure) {
            return try await driver.ping()
        } catch {
            throw BroadcastError(error)
        }
    }
}
