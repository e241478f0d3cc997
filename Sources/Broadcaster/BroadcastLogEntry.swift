internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// An event that is worth a line in a log.
///
/// ```swift
/// options.log = { entry in                                  // swift-log
///     logger.log(level: Logger.Level(rawValue: entry.level.rawValue) ?? .info, "\(entry)")
/// }
/// ```
public struct BroadcastLogEntry: Hashable, Sendable, CustomStringConvertible {
    /// The severity. The raw values are those of swift-log's `Logger.Level`, so that one makes the other.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Level: String, Hashable, Sendable, CaseIterable {
        /// All is as it should be.
        case info
        /// The end of something that was not: the connection and the channels are back.
        case notice
        /// Something was lost or refused, or the server warns; the library goes on.
        case warning
    }

    /// The severity.
    public let level: Level
    /// The event in one line, without secrets.
    public let message: String

    /// An entry, for tests of what a program does with it.
    public init(level: Level, message: String) {
        self.level = level
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

extension BroadcastLogEntry {
    init(_ event: LogEvent) {
        switch event {
        case .connected(let identity, let endpoint):
            self.init(
                level: .info, message: "connected to \(endpoint): \(ServerInfo(identity))")
        case .lost(let failure, let delay):
            self.init(level: .warning, message: "\(failure); next try in \(delay.text)")
        case .stillLost(let failure, let time, let attempts):
            self.init(
                level: .warning,
                message: "no connection for \(time.text), \(attempts) attempts: \(failure)")
        case .resubscribed(let topics, let time):
            let what = topics == 1 ? "1 channel is" : "\(topics) channels are"
            self.init(
                level: .notice,
                message: "\(what) subscribed again, \(time.text) after the connection was lost")
        case .refused(let topic, let rejection):
            self.init(
                level: .warning,
                message:
                    "subscription to \(URLOptions.show(topic.text)) refused: \(rejection.message)")
        case .warned(let text):
            self.init(level: .warning, message: "the server warns: \(text)")
        case .unverified(let text): self.init(level: .warning, message: text)
        case .closed: self.init(level: .info, message: "disconnected")
        }
    }
}
