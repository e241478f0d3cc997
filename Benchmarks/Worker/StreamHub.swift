import Synchronization

/// A hub as written without this library: a dictionary of channels, and an AsyncStream a subscriber. The peer of the
/// measurements in memory.
final class StreamHub: Sendable {
    struct Message: Sendable {
        let channel: String
        let text: String
    }

    private let subscribers = Mutex<[String: [AsyncStream<Message>.Continuation]]>([:])

    func subscribe(to channel: String) -> AsyncStream<Message> {
        let (stream, continuation) = AsyncStream<Message>.makeStream()
        subscribers.withLock { $0[channel, default: []].append(continuation) }
        return stream
    }

    func publish(_ text: String, to channel: String) {
        let continuations = subscribers.withLock { $0[channel] ?? [] }
        let message = Message(channel: channel, text: text)
        for continuation in continuations { continuation.yield(message) }
    }
}
