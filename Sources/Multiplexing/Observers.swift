package import BroadcasterWire

/// The listeners to a driver: status, log and trace.
package struct Observers: Sendable {
    package var status: @Sendable (ConnectionStatus) -> Void
    package var log: @Sendable (LogEvent) -> Void
    /// Lines of a transcript; see `TranscriptLine`. nil costs nothing.
    package var trace: (@Sendable (String) -> Void)?

    package init(
        status: @escaping @Sendable (ConnectionStatus) -> Void,
        log: @escaping @Sendable (LogEvent) -> Void,
        trace: (@Sendable (String) -> Void)?
    ) {
        self.status = status
        self.log = log
        self.trace = trace
    }

    func trace(_ event: Event, _ hub: Hub) {
        if let trace { TranscriptLine.event(event, topicName: hub.name).forEach(trace) }
    }

    func trace(sent bytes: [UInt8], on lane: Lane, _ secrets: @autoclosure () -> [String]) {
        trace?(TranscriptLine.sent(bytes, on: lane, secrets: secrets()))
    }

    func trace(
        received bytes: @autoclosure () -> ArraySlice<UInt8>, on lane: Lane,
        _ secrets: @autoclosure () -> [String]
    ) {
        trace?(TranscriptLine.received(bytes(), on: lane, secrets: secrets()))
    }
}

package enum ConnectionStatus: Hashable, Sendable {
    case connecting
    case ready(ServerIdentity)
    case down(ConnectionFailure, retryIn: Duration)
    /// Nothing more will come, and why: `.closed` where that was asked for.
    case closed(ConnectionFailure)
}

/// An event that is worth a line in a log.
package enum LogEvent: Hashable, Sendable {
    case connected(ServerIdentity, Endpoint)
    case lost(ConnectionFailure, retryIn: Duration)
    /// The outage goes on: told from time to time, not for each attempt.
    case stillLost(ConnectionFailure, for: Duration, attempts: Int)
    /// All channels and patterns are subscribed again, after this time.
    case resubscribed(topics: Int, after: Duration)
    case refused(TopicName, Rejection)
    /// A lane's security is less than it could be: the URL asks for no more.
    case unverified(String)
    /// The server warns, in these words.
    case warned(String)
    case closed
}
