import Broadcaster

/// A room of the chat: a channel. This is all that stands between a person's socket and the library: the server
/// publishes the person's messages, and sends the person the published ones.
struct ChatRoom: Sendable {
    let name: String
    let broadcast: Broadcast

    /// The most that waits for a slow client; beyond it messages are dropped, and the client gets a gap.
    private static let buffer = SubscriptionBuffer(messages: 256, bytes: 1 << 20)

    /// The messages that a room opens with, where they are kept.
    private static let window = 50

    /// Subscribes to the room: behind `last`, where the client stood, or with the room's newest messages, if these are kept.
    private func subscribe(after last: String?) async throws(BroadcastError) -> Subscription {
        let start: SubscriptionStart =
            if !broadcast.keepsHistory {
                .new
            } else if let place = last.flatMap(MessagePosition.init) {
                .after(place)
            } else { .last(ChatRoom.window) }
        do throws(BroadcastError) {
            return try await broadcast.subscribe(
                to: name, history: start, buffer: ChatRoom.buffer)
        } catch .invalid where last != nil {
            // A position of another kind of server: the page is older than this server.
            return try await subscribe(after: nil)
        }
    }

    /// Carries a person's WebSocket. Returns when the person has left, or the server ends.
    ///
    /// - Parameter last: the position at which a returning page stood.
    func join(_ client: ChatClient, as person: String, after last: String?) async {
        do {
            let subscription = try await subscribe(after: last)
            defer { subscription.cancel() }
            if let start = subscription.startPositions[name] {
                _ = await client.send(WebSocketEncoder.text(ChatEvent.start(start).json))
            }
            let sending = Task {
                await send(subscription, to: client) { WebSocketEncoder.text($0.json) }
            }
            defer { sending.cancel() }
            _ = try? await broadcast.publish(ChatEvent.joined(person), to: name)
            while let text = await client.receive() {
                await publish(text, of: client)
            }
            subscription.cancel()
            _ = try? await broadcast.publish(ChatEvent.left(person), to: name)
        } catch {
            await client.close(1013, "\(error)")
        }
    }

    private func publish(_ text: [UInt8], of client: ChatClient) async {
        do {
            try await broadcast.publish(text, to: name)
        } catch {
            _ = await client.send(WebSocketEncoder.text(ChatEvent.failed("\(error)").json))
        }
    }

    /// Carries the room as Server-Sent Events. `lastEventID` is the last event that a returning client has seen.
    func watch(_ client: ChatClient, lastEventID: String?) async {
        do {
            let subscription = try await subscribe(after: lastEventID)
            defer { subscription.cancel() }
            await client.startEventStream()
            if let lastEventID, MessagePosition(lastEventID) == nil || !broadcast.keepsHistory {
                // There is nothing to resume from: messages since then may be missing.
                _ = await client.send(ChatEvent.missed.serverSent)
            }
            if lastEventID == nil, let start = subscription.startPositions[name] {
                _ = await client.send(ChatEvent.start(start).serverSent)
            }
            let sending = Task { await send(subscription, to: client) { $0.serverSent } }
            defer { sending.cancel() }
            // A client of an event stream sends nothing; the loop ends when it leaves, also from a silent room.
            while await client.receive() != nil {}
        } catch {
            await client.answer(HTTPResponse.error(.unavailable, "\(error)"))
        }
    }

    /// Sends the room's messages until the client has left, or the room ends.
    private func send(
        _ subscription: Subscription, to client: ChatClient,
        as encode: (ChatEvent) -> [UInt8]
    ) async {
        do {
            for try await event in subscription.events {
                guard await client.send(encode(ChatEvent(event))) else { return }
            }
            await client.close(1001, "the server ends")
        } catch {
            await client.close(1011, "\(error)")
        }
    }
}
