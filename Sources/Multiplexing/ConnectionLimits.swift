/// What bounds a runner.
package struct ConnectionLimits: Hashable, Sendable {
    package var connectTimeout: Duration
    package var publishTimeout: Duration
    /// How long an answer may be overdue before the connection is given up.
    package var answerTimeout: Duration
    package var waitsForServer: Bool
    /// How long `stop` may take.
    package var shutdownTimeout: Duration
    /// Bytes that wait for the kernel; beyond it, messages wait with their publishers.
    package var unsentBytes: Int
    /// Bytes that came and are no whole message yet.
    package var unparsedBytes: Int

    package init(
        connectTimeout: Duration, publishTimeout: Duration, answerTimeout: Duration,
        waitsForServer: Bool,
        shutdownTimeout: Duration, unsentBytes: Int, unparsedBytes: Int
    ) {
        self.connectTimeout = connectTimeout
        self.publishTimeout = publishTimeout
        self.answerTimeout = answerTimeout
        self.waitsForServer = waitsForServer
        self.shutdownTimeout = shutdownTimeout
        self.unsentBytes = unsentBytes
        self.unparsedBytes = unparsedBytes
    }
}
