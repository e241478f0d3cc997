/// The options of every backend with a server, by the same words in every URL.
package struct CommonOptions: Hashable, Sendable {
    /// The longest time for `connect()`, and for each attempt to connect again.
    package var connectTimeout: Duration
    /// The longest wait of `publish` for a connection and the server's answer.
    package var publishTimeout: Duration
    /// The longest silence of a connection before the server is asked for a sign of life.
    package var pingInterval: Duration
    /// The longest message, in bytes, sent or received.
    package var maximumMessageSize: Int
    /// The longest wait between two attempts to connect.
    package var longestRetryDelay: Duration

    package init(
        connectTimeout: Duration, publishTimeout: Duration, pingInterval: Duration,
        maximumMessageSize: Int, longestRetryDelay: Duration = .seconds(2)
    ) {
        self.connectTimeout = connectTimeout
        self.publishTimeout = publishTimeout
        self.pingInterval = pingInterval
        self.maximumMessageSize = maximumMessageSize
        self.longestRetryDelay = longestRetryDelay
    }

    /// The longest time that an answer may be overdue before the connection is given up.
    package var answerTimeout: Duration { max(publishTimeout, pingInterval * 2) }

    /// Takes those that the URL names; the others stay as they are.
    package mutating func take(from options: inout URLOptions) throws(URLError) {
        if let time = try options.takeDuration(
            "connect_timeout", aliases: ["socket_connect_timeout"])
        {
            connectTimeout = time
        }
        if let time = try options.takeDuration(
            "publish_timeout", aliases: ["socket_timeout", "timeout"])
        {
            publishTimeout = time
        }
        if let time = try options.takeDuration("ping", aliases: ["health_check_interval"]) {
            pingInterval = time
        }
        if let time = try options.takeDuration("max_retry_delay") {
            longestRetryDelay = time
        }
        if let size = try options.takeInteger("max_message_size", in: 1...(512 << 20) - 1) {
            maximumMessageSize = size
        }
    }
}
