/// The options of every backend with a server, by the same words in every URL.
public struct CommonOptions: Hashable, Sendable {
    /// The longest time for `connect()`, and for each attempt to connect again.
    public var connectTimeout: Duration
    /// The longest wait of `publish` for a connection and the server's answer.
    public var publishTimeout: Duration
    /// The longest silence of a connection before the server is asked for a sign of life.
    public var pingInterval: Duration
    /// The longest message, in bytes, sent or received.
    public var maximumMessageSize: Int
    /// The longest wait between two attempts to connect.
    public var longestRetryDelay: Duration

    /// Options, as a program or a test gives them.
    public init(
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
    public var answerTimeout: Duration { max(publishTimeout, pingInterval * 2) }

    /// The time to connect where a URL asks for none: about as long as Linux itself tries to connect
    /// (`tcp_syn_retries` 6). An attempt without any end could not be followed by another one.
    package static let longestConnect: Duration = .seconds(127)

    /// Takes those that the URL names; the others stay as they are.
    public mutating func take(from options: inout URLOptions) throws(ServerURLError) {
        let all = options
        let connect = try options.take("connect_timeout", aliases: ["socket_connect_timeout"]) {
            (name, text) throws(ServerURLError) in
            if let time = CommonOptions.connectTimeout(text) { return time }
            return try all.duration(name, text)
        }
        if let connect { connectTimeout = connect }
        if let time = try options.takeDuration(
            "publish_timeout", aliases: ["socket_timeout", "timeout"])
        {
            publishTimeout = time
        }
        let usual = pingInterval
        let ping = try options.take("ping", aliases: ["health_check_interval"]) {
            (name, text) throws(ServerURLError) in
            // The default of redis-py, which then does not ask by itself. Here a silent connection is always asked.
            name == "health_check_interval" && URLOptions.duration(text) == .zero
                ? usual : try all.duration(name, text)
        }
        if let ping { pingInterval = ping }
        if let time = try options.takeDuration("max_retry_delay") {
            longestRetryDelay = time
        }
        if let size = try options.takeInteger("max_message_size", in: 1...(512 << 20) - 1) {
            maximumMessageSize = size
        }
    }

    /// A time to connect; zero, or less, is no limit to those who know the option from libpq.
    package static func connectTimeout(_ text: String) -> Duration? {
        let isNegative = text.utf8.first == UInt8(ascii: "-")
        guard let time = URLOptions.duration(isNegative ? String(text.dropFirst()) : text) else {
            return nil
        }
        return isNegative || time == .zero ? longestConnect : time
    }
}
