import Broadcaster
import NATS
import Testing

struct URLTests {
    @Test(arguments: [
        ("nats://", "the URL has no host: expected something like nats://localhost:4222"),
        ("nats://h/x", "a nats URL has no path: found \"x\""),
        ("nats://h?nmae=x", "unknown option \"nmae\" in a nats URL; possible are"),
        ("nast://h", "unknown scheme \"nast\"; known are nats://, memory://"),
    ])
    func aURLThatCannotBeUsedIsRefused(url: String, words: String) throws {
        let error = #expect(throws: BroadcastError.self) {
            try Broadcast(url, backends: [NATSBackend.self])
        }
        guard case .invalidURL(let text) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.hasPrefix(words), "\(text)")
    }

    @Test(arguments: ["", "a b", "a..b", ".a", "a.", "*", "a.>", "a\r\nPUB b 0\r\n"])
    func aNameThatIsNoSubjectIsRefused(name: String) async throws {
        let broadcast = try Broadcast("nats://127.0.0.1", backends: [NATSBackend.self])
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("x", to: name)
        }
        guard case .invalid = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
