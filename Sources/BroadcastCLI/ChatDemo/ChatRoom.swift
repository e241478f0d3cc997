import Broadcaster

/// A room of the chat: a channel. This is all that stands between a person's socket and the library: the server
/// publishes the person's messages, and sends the person the published ones.
struct ChatRoom: Sendable {
    let name: String
    let broadcast: Broadcast

    /// The most that waits for a slow client; beyond it messages are dropped, and the client gets a gap.
    private static let buffer = SubscriptionBuffer(messages: 256, bytes: 1 << 20)

    /// Carries a person's WebSocket. Returns when the person has left, or the server ends.
    func join(_ client: ChatClient, as person: String) async {
        do {
            try await broadcast.withSubscription(to: name, buffer: ChatRoom.buffer) { room in
                let sending = Task {
                    await send(room, to: client) { WebSocketEncoder.text($0.json) }
                }
                defer { sending.cancel() }
                _ = try? await broadcast.publish(ChatEvent.joined(person), to: name)
                while let text = await client.receive() {
                    await publish(text, of: client)
                }
            }
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
            try await broadcast.withSubscription(to: name, buffer: ChatRoom.buffer) { room in
                await client.startEventStream()
                if lastEventID != nil {
                    // There is no history to resume from: messages since then are missing.
                    _ = await client.send(ChatEvent.missed.serverSent)
                }
                let sending = Task { await send(room, to: client) { $0.serverSent } }
                defer { sending.cancel() }
                // A client of an event stream sends nothing; the loop ends when it leaves, also from a silent room.
                while await client.receive() != nil {}
            }
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
