package import BroadcasterSockets
package import BroadcasterWire

/// The surroundings of a session runner: what it lives on, and all that a session may not read by itself.
///
/// In a program that is an event loop with its sockets (`SocketHost`); in a test, a lock and a clock that stands still.
/// Every callback comes on `executor`.
package protocol RunnerHost: AnyObject, Sendable {
    /// The executor of the runner's actor.
    var executor: UnownedSerialExecutor { get }

    /// The executor for tasks that want to run beside the runner; nil where it has no thread of its own.
    var taskExecutor: (any TaskExecutor)? { get }

    /// The time that all deadlines are counted in.
    var now: Instant { get }

    /// A number from 0 to 1, for delays that must not be the same in two processes.
    func chance() -> Double

    /// Runs `work` on the executor, after what was given before. False if the host has stopped.
    @discardableResult
    func execute(_ work: @escaping @Sendable () -> Void) -> Bool

    /// Calls `action` once at `deadline`. The result cancels that.
    func schedule(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void

    /// The same for the runner's own timer, of which there is one: nobody waits for it.
    func scheduleTurn(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void

    /// Connects to `endpoint`, and calls `completion` once. The result cancels that.
    func connect(
        to endpoint: Endpoint, deadline: Instant,
        completion: @escaping @Sendable (Result<any ByteStream, SocketError>) -> Void
    ) -> @Sendable () -> Void

    /// Lets more bytes gather before the streams are next looked at: many have just come at once.
    func coalesceReads()

    /// Ends the host, after the work that was given before.
    func stop()
}

extension RunnerHost {
    package func scheduleTurn(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        schedule(at: deadline, action)
    }
}

/// A connection as bytes: a socket, or another stream that wraps one. All of it belongs to one executor.
package protocol ByteStream: AnyObject, Sendable {
    /// Calls `handler` when bytes have come, when the stream has ended, and, as long as `watchWritable(true)` holds, when
    /// there is room to write.
    func watch(_ handler: @escaping @Sendable (Readiness) -> Void) throws(SocketError)

    func watchWritable(_ isWatched: Bool) throws(SocketError)

    /// Reads once, at most `limit` bytes, to the end of `bytes`.
    func read(to bytes: inout [UInt8], limit: Int) throws(SocketError) -> Socket.Reading

    /// Writes from `bytes[start...]`. The result is how many bytes the stream took, 0 where it is full.
    func write(_ bytes: [UInt8], from start: Int) throws(SocketError) -> Int

    /// Tells the peer that nothing more comes. What the peer still sends can be read.
    func finishWriting()

    /// No call of the handler begins after this. The stream is closed when it is released.
    func close()
}
