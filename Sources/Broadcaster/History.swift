internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// The place of a message in its channel's history, where the server keeps one.
///
/// Its text is ASCII without blanks, at most 80 characters, or over Kafka 21 and 16 for each partition: good as the id of a
/// server-sent event, in a URL's query, and as an argument. It holds across restarts of the program and of the server, as long as the server keeps the message. What
/// it means is the server's affair: compare positions, keep them, give them back; do not compute with them.
public struct MessagePosition: Hashable, Sendable, LosslessStringConvertible {
    let position: Position

    init(_ position: Position) {
        self.position = position
    }

    /// The position that has this text; nil where none has.
    public init?(_ description: String) {
        guard let position = Position(text: description) else { return nil }
        self.position = position
    }

    /// The text, which `init(_:)` reads.
    public var description: String { position.description }

    /// Whether this message came after another of the same channel; nil where the history was made anew in between, so that
    /// there is no order.
    public func isAfter(_ other: MessagePosition) -> Bool? {
        let (one, two) = (position, other.position)
        if one == .origin || two == .origin { return two < one }
        guard one.count == two.count, one.triple?.epoch == two.triple?.epoch else { return nil }
        return two < one
    }
}

/// The place in a channel's history at which a subscription begins.
public enum SubscriptionStart: Hashable, Sendable {
    /// With what is published from now on.
    case new
    /// With the newest messages, so many; fewer where fewer are kept.
    case last(Int)
    /// With what was published in this time, by the server's clock.
    case since(Duration)
    /// Right behind a message that was read before.
    case after(MessagePosition)
    /// With the oldest message that is kept.
    case all
}

/// A page of a channel's history.
public struct HistoryPage: Sendable {
    /// The messages, the oldest first.
    public let messages: [Message]
    /// The messages that are missing before these: dropped by the server, or another history. nil where none are.
    public let gap: Gap?
    /// True if there is nothing more in this direction now.
    public let isEnd: Bool
    /// The place behind the page, for `.after`; nil where nothing was ever published.
    public let next: MessagePosition?
}

/// The part of a channel's history that a page shows.
public enum HistoryPart: Hashable, Sendable {
    /// The newest messages.
    case newest
    /// The messages right before one.
    case before(MessagePosition)
    /// The messages right behind one.
    case after(MessagePosition)
    /// The oldest messages that are kept.
    case oldest
}

extension Broadcast {
    /// True if the server keeps the channels' messages, so that subscriptions can begin in the past.
    public var keepsHistory: Bool { backend.keepsHistory }

    /// Reads a page of a channel's history, without subscribing.
    ///
    /// - Parameters:
    ///   - channel: the channel.
    ///   - part: where to read.
    ///   - limit: the most messages, at most 1,000. A page of large messages may have fewer, and ends near 256 KiB.
    /// - Throws: `.historyUnsupported`, `.invalid` for a position of another kind of server, `.permissionDenied`, `.refused`,
    ///   `.timedOut` after `subscribeTimeout`, `.disconnected`, `.notConnected` or `.cancelled`.
    public func history(
        of channel: String, _ part: HistoryPart = .newest, limit: Int = 100
    ) async throws(BroadcastError) -> HistoryPage {
        let topic = TopicName.channel(channel)
        guard backend.keepsHistory else { throw .historyUnsupported(Broadcast.noHistory) }
        if let refusal = backend.refusal(of: topic) { throw .invalid(refusal) }
        let limit = min(max(limit, 1), 1000)
        switch part {
        case .newest: return try await page(of: topic, .backwards(before: nil, count: limit))
        case .before(let place):
            let position = try checked(place)
            return try await page(of: topic, .backwards(before: position, count: limit))
        case .after(let place):
            let request = PageRequest(cursor: .after(try checked(place)), count: limit)
            return try await page(of: topic, .forwards(request))
        case .oldest:
            let start = try await read(.start(.all), of: topic)
            return try await page(
                of: topic, .forwards(PageRequest(cursor: start.next, count: limit)))
        }
    }

    private func page(
        of topic: TopicName, _ kind: HistoryRequest.Kind
    ) async throws(BroadcastError) -> HistoryPage {
        let page = try await read(kind, of: topic)
        let gap: DeliveryGap? =
            switch page.verdict {
            case .kept: nil
            case .trimmed(let lost): .trimmed(lost: lost)
            case .reset: .reset
            }
        if gap != nil, case .forwards(let request) = kind {
            // What is there behind the gap belongs to the page.
            let rest = PageRequest(cursor: page.next, count: request.count)
            return HistoryPage(
                try await read(.forwards(rest), of: topic), gap: gap, isBackwards: false)
        }
        let isBackwards = if case .backwards = kind { true } else { false }
        return HistoryPage(page, gap: gap, isBackwards: isBackwards)
    }

    private func read(
        _ kind: HistoryRequest.Kind, of topic: TopicName
    ) async throws(BroadcastError) -> BroadcasterWire.HistoryPage {
        let driver = try connectedDriver()
        let deadline = driver.now + options.subscribeTimeout
        let result = await driver.hub.read(
            kind, of: topic,
            deadline: { end in
                driver.schedule(at: deadline) { [weak driver] in
                    end(
                        driver?.isReady == false
                            ? .down("not answered in time, and there is no connection") : .timedOut)
                }
            }, isolation: #isolation)
        switch result {
        case .success(let page): return page
        case .failure(.timedOut): throw .timedOut("the server did not answer in time")
        case .failure(let failure): throw BroadcastError(failure)
        }
    }

    /// The position, if it is one of this kind of server.
    private func checked(_ place: MessagePosition) throws(BroadcastError) -> Position {
        try backend.checked(place)
    }

    /// Why there is no history, and where there is one.
    static let noHistory =
        "this server keeps no messages: use redis-stream://, or postgres://…?history=TABLE, or memory://?history=1000"
}

extension Backend {
    /// The position, if it is one of this kind of server.
    func checked(_ place: MessagePosition) throws(BroadcastError) -> Position {
        if let refusal = refusal(of: place.position) {
            throw .invalid("the position \(place): \(refusal)")
        }
        return place.position
    }
}

extension HistoryPage {
    fileprivate init(_ page: BroadcasterWire.HistoryPage, gap: DeliveryGap?, isBackwards: Bool) {
        var messages: [Message] = []
        if let block = page.messages {
            var mailbox = MailboxState(
                limits: MailboxLimits(messages: block.count, bytes: .max, overflow: .dropNewest))
            mailbox.offer(block)
            while let message = mailbox.nextMessage() { messages.append(Message(message)) }
        }
        self.messages = messages
        self.gap = gap.map { Gap($0) }
        isEnd = page.isEnd
        let place = isBackwards ? messages.last?.position?.position : page.next.position
        next = place.flatMap { $0 == .origin ? nil : MessagePosition($0) }
    }
}

extension Broadcast {
    /// The statements that make what the history needs on the server, for whoever runs such by other means; nil where it needs
    /// nothing.
    public var migration: String? { backend.migration }

    /// Carries out `migration`, over a connection of its own. What is there already stays; the rules of retention are those of
    /// the URL.
    ///
    /// - Throws: as `connect()`, and `.historyUnsupported` where there is nothing to make.
    public func migrate() async throws(BroadcastError) {
        guard let makeMigrator else {
            throw .historyUnsupported(
                "this URL names nothing to make: postgres://…?history=TABLE does")
        }
        let hub = Hub()
        do throws(ConnectionFailure) {
            let observers = Observers(status: { _ in }, log: { _ in }, trace: options.trace)
            let driver = try makeMigrator(hub, observers)
            defer { withExtendedLifetime(driver) {} }
            let result: Result<Void, ConnectionFailure>
            do throws(ConnectionFailure) {
                _ = try await driver.start()
                result = .success(())
            } catch {
                result = .failure(error)
            }
            await driver.stop()
            try result.get()
        } catch {
            throw BroadcastError(error)
        }
    }
}
