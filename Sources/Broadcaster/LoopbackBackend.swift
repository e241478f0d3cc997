internal import BroadcasterWire

/// A backend of your own, without a server: for tests of code that uses a `Broadcast`.
///
/// `Broadcast(LoopbackBackend)` delivers what `deliveries` returns. The default is what `memory://` does;
/// return nothing to lose a message, two to duplicate it, another text to damage it, or throw to
/// have `publish` throw. Its functions are called one at a time, and must not use the `Broadcast` themselves.
///
/// ```swift
/// struct Censor: LoopbackBackend {
///     func deliveries(of message: [UInt8], to channel: String) throws -> [[UInt8]] {
///         channel == "private" ? [] : [message]
///     }
/// }
/// let broadcast = Broadcast(Censor())
/// ```
public protocol LoopbackBackend: Sendable {
    /// Returns what the subscribers of `channel` receive when `message` is published to it.
    ///
    /// An error is thrown by `publish` as `BroadcastError.refused` with the error's description.
    func deliveries(of message: [UInt8], to channel: String) throws -> [[UInt8]]

    /// Throws where nobody may subscribe to `channel`. The default allows all.
    func authorize(subscribingTo channel: String) throws
}

extension LoopbackBackend {
    /// The message itself, once.
    public func deliveries(of message: [UInt8], to channel: String) throws -> [[UInt8]] {
        [message]
    }

    /// Allows all.
    public func authorize(subscribingTo channel: String) throws {}
}

/// Makes a user's `LoopbackBackend` a backend like the others.
struct LoopbackAdapter: Backend {
    let inner: any LoopbackBackend
    /// Bytes.
    let maximumMessageSize: Int

    /// 64 MiB.
    static let messageSize = 64 << 20

    var endpoints: [Endpoint] { [] }

    var secrets: [String] { [] }

    func makeSession() -> any Session { LoopbackSession(inner: inner) }

    func refusal(of topic: TopicName) -> String? {
        if topic.isPattern { return "a LoopbackBackend has no patterns" }
        if case .binaryChannel = topic { return "a LoopbackBackend's channels have text names" }
        return topic.text.isEmpty ? "the channel's name is empty" : nil
    }

    func refusal(ofPublishing payload: Payload, to channel: String) -> String? {
        if channel.isEmpty { return "the channel's name is empty" }
        let (count, limit) = (payload.byteCount, maximumMessageSize)
        return count > limit ? "a message has \(count) bytes, \(limit) are allowed" : nil
    }
}

private struct LoopbackSession: Session {
    let inner: any LoopbackBackend
    private var topics = TopicIndex()

    init(inner: any LoopbackBackend) {
        self.inner = inner
    }

    var deadline: Instant? { nil }

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        output.append(
            .ready(ServerIdentity(product: "loopback", version: "none", dialect: "in process")))
    }

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {}

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {}

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        switch command {
        case .subscribe(let wanted): for topic in wanted { subscribe(topic, into: &output) }
        case .unsubscribe(let unwanted):
            for topic in unwanted {
                topics.remove(topic.name.text)
                output.append(.unsubscribed(topic: topic.id))
            }
        case .publish(let publications):
            for publication in publications { publish(publication, into: &output) }
        case .read: break  // Comes to backends that keep a history.
        case .ping: output.append(.answered)
        case .close: break
        }
    }

    private mutating func subscribe(_ topic: Topic, into output: inout SessionOutput) {
        do {
            try inner.authorize(subscribingTo: topic.name.text)
            topics.insert(topic)
            output.append(.subscribed(topic: topic.id))
        } catch {
            let rejection = Rejection(kind: .permission, message: "\(error)")
            output.append(.subscriptionRefused(topic: topic.id, rejection))
        }
    }

    private mutating func publish(_ publication: Publication, into output: inout SessionOutput) {
        do {
            let deliveries = try inner.deliveries(
                of: publication.payload.bytes, to: publication.channel)
            let channel = topics.find(publication.channel)
            if let channel {
                for bytes in deliveries {
                    output.append(
                        message: .bytes(bytes), topic: channel.topic, origin: channel.origin)
                }
            }
            let receivers = channel == nil || deliveries.isEmpty ? 0 : 1
            output.append(published: publication.ticket, receivers: receivers)
        } catch {
            let rejection = Rejection(kind: .permanent, message: "\(error)")
            output.append(.publishRefused(ticket: publication.ticket, rejection))
        }
    }
}
