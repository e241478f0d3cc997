package import BroadcasterWire

/// Why a message was not published, or may not have been.
package enum PublishFailure: Error, Hashable, Sendable {
    /// Nothing of it was sent before the deadline, since there was no connection, or no room on it; and why.
    case notSent(String)
    /// It was sent, and the answer did not come: the server may have published it, or not.
    case outcomeUnknown(String)
    case refused(Rejection)
    /// The task was cancelled before anything was sent.
    case cancelled
    /// The broadcast is not connected, or no more.
    case closed
}
