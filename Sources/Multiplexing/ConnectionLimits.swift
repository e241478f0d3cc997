import BroadcasterWire

/// The limits that bound a runner.
package struct ConnectionLimits: Hashable, Sendable {
    package var connectTimeout: Duration
    package var publishTimeout: Duration
    /// The longest wait between two attempts to connect.
    package var longestRetryDelay: Duration
    /// The longest time that an answer may be overdue before the connection is given up.
    package var answerTimeout: Duration
    package var waitsForServer: Bool
    /// The longest time for `stop`.
    package var shutdownTimeout: Duration
    /// Bytes that wait for the kernel; beyond it, messages wait with their publishers.
    package var unsentBytes: Int
    /// Bytes that came and are no whole message yet.
    package var unparsedBytes: Int

    package init(
        connectTimeout: Duration, publishTimeout: Duration, answerTimeout: Duration,
        waitsForServer: Bool,
        shutdownTimeout: Duration, unsentBytes: Int, unparsedBytes: Int,
        longestRetryDelay: Duration = Backoff().longest
    ) {
        self.connectTimeout = connectTimeout
        self.publishTimeout = publishTimeout
        self.answerTimeout = answerTimeout
        self.waitsForServer = waitsForServer
        self.shutdownTimeout = shutdownTimeout
        self.unsentBytes = unsentBytes
        self.unparsedBytes = unparsedBytes
        self.longestRetryDelay = longestRetryDelay
    }

    /// The longest wait for the next attempt while a call waits: it leaves the call the time to be carried out.
    var longestHurry: Duration { publishTimeout / 2 }

    /// Bytes of messages that are handed over at once. A thousand small ones in one piece left the server idle for a
    /// third of the time.
    private static let publishedAtOnce = 16_384

    /// The bytes and the number of messages to hand over to a session that takes them as `intake` says.
    ///
    /// - Parameter unsent: bytes that wait for the streams already.
    func share(of intake: PublishIntake, unsent: Int) -> (bytes: Int, count: Int) {
        switch intake {
        case .none: (0, 0)
        case .pipelined: (min(unsentBytes - unsent, ConnectionLimits.publishedAtOnce), .max)
        case .batch(let count): (unsentBytes - unsent, count)
        }
    }
}
