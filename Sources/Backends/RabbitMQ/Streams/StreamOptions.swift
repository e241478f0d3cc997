import BroadcasterWire

/// The stream that keeps a channel's messages, where the URL says `history=stream`: its name, and how much it keeps.
///
/// Each channel has a stream of its own behind the exchange of exact channels, so that a channel's history is read without
/// that of others, and publishers need not know that it is kept.
struct StreamOptions: Hashable, Sendable {
    /// Bytes that each stream keeps. The server drops whole segments, of an eighth of it.
    var bytes = 256 << 20
    /// Seconds; nil for no limit.
    var age: Int?

    private static let segments = 8

    /// The queue, which RabbitMQ refuses where another of this name has other arguments.
    func declaration(_ name: String) -> QueueMethod {
        var arguments = AMQPTable([
            "x-queue-type": .text("stream"),
            "x-max-length-bytes": .int64(Int64(bytes)),
            "x-stream-max-segment-size-bytes": .int64(
                Int64(max(bytes / StreamOptions.segments, 1))),
        ])
        if let age { arguments.add("x-max-age", .text("\(age)s")) }
        return .declare(name, .durable, arguments)
    }
}

extension RabbitMQURL {
    /// The queue of a channel's stream. Names that begin with `amq.` are the server's own.
    func stream(of channel: String) -> String { streamPrefix + channel }

    var streamPrefix: String { isServersOwn ? "broadcaster." : "\(exchange)." }

    /// The binding that brings a channel's messages to its stream.
    func binding(toStreamOf channel: String) -> QueueMethod.Binding {
        QueueMethod.Binding(
            queue: stream(of: channel), exchange: exactExchange, key: Array(channel.utf8))
    }
}
