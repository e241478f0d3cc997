import Broadcaster
import BroadcasterTesting
import Testing

/// Messages and channel names beyond the limits.
@Suite(.timeLimit(.minutes(2)))
struct MessageLimitTests: ScriptedServerTesting {
    /// A message beyond the user's limit is a gap; later messages are delivered.
    @Test(arguments: [
        ("c", ">3\r\n+message\r\n+c\r\n$11\r\nhello world\r\n", "+"),
        ("c", ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$11\r\nhello world\r\n", "$9\r\n"),
        (
            "*",
            ">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$11\r\nhello world\r\n", "+p"
        ),
    ])
    func aMessageBeyondTheLimitIsAGap(topic: String, message: String, kind: String) async throws {
        let small = message.replacing("$11\r\nhello world", with: "$10\r\nhello, you")
        let server = try server { client, text in
            guard text.contains("SUBSCRIBE\r\n$1\r\n") else { return }
            client.send(">3\r\n\(kind)subscribe\r\n+\(topic)\r\n:1\r\n" + message + small)
        }
        let broadcast = try broadcast(to: server, "max_message_size=10")
        try await broadcast.connect()
        let subscription =
            topic == "*"
            ? try await broadcast.subscribe(toPatterns: "*")
            : try await broadcast.subscribe(to: topic)
        var events = subscription.events.makeAsyncIterator()
        guard case .gap(let gap)? = try await events.next(), case .incomplete = gap.reason,
            case .message(let next)? = try await events.next()
        else {
            Issue.record("no gap and message")
            return
        }
        #expect(next.text == "hello, you")
        await broadcast.disconnect()
    }

    /// Any client chooses names that match a pattern; a subscriber's buffer counts payloads.
    @Test func aChannelWithAnEndlessNameIsAGap() async throws {
        let name = String(repeating: "n", count: 16_385)
        let server = try server { client, text in
            guard text.contains("PSUBSCRIBE") else { return }
            client.send(">3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n")
            client.send(">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$16385\r\n\(name)\r\n$1\r\nx\r\n")
            client.send(">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$1\r\ny\r\n")
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        var events = try await broadcast.subscribe(toPatterns: "*").events.makeAsyncIterator()
        guard case .gap(let gap)? = try await events.next(), case .incomplete = gap.reason,
            case .message(let message)? = try await events.next()
        else {
            Issue.record("no gap and message")
            return
        }
        #expect(message.text == "y")
        await broadcast.disconnect()
    }
}
