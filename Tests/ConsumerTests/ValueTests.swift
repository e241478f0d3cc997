import Broadcaster
import Foundation
import Testing

/// Values of the library as a user's tests make, compare and print them.
struct ValueTests {
    @Test func aMessageCanBeMadeAndCompared() {
        let moment = ContinuousClock.now
        let message = Message("hello", channel: "chat", receivedAt: moment)
        #expect(message.text == "hello")
        #expect(message.channel == "chat")
        #expect(message.pattern == nil)
        #expect(abs((message.receivedAt - moment) / .nanoseconds(1)) < 10)
        #expect(message == Message(Array("hello".utf8), channel: "chat"))
        #expect(message != Message("hello", channel: "other"))
        #expect(message != Message("hello", channel: "chat", pattern: "c*"))
        #expect(message != Message("hallo", channel: "chat"))
        #expect(Set([message, Message("hello", channel: "chat")]).count == 1)
        #expect(SubscriptionEvent.message(message) == .message(message))
        #expect(SubscriptionEvent.message(message) != .gap(Gap(.overflow)))
    }

    @Test func bytesAreSeenWithoutACopy() throws {
        let message = Message([1, 2, 3], channel: "c")
        #expect(message.withBytes { bytes in bytes.count } == 3)
        #expect(message.withBytes { bytes in bytes[2] } == 3)
        struct Mistake: Error {}
        #expect(throws: Mistake.self) {
            try message.withBytes { _ throws(Mistake) in throw Mistake() }
        }
    }

    @Test func descriptionsAreForPeople() {
        #expect("\(Message("hello", channel: "chat"))" == "chat: hello")
        #expect("\(Message([0xff, 0], channel: "chat"))" == "chat: 2 bytes that are not UTF-8")
        let long = Message(String(repeating: "x", count: 5000), channel: "c")
        #expect("\(long)".hasSuffix("x… (5000 bytes)"))
        let gap = Gap(.reconnected(after: .milliseconds(2030), description: "reset"))
        #expect("\(gap)" == "messages of 2.03 s may be missing: the connection was lost (reset)")
        #expect("\(SubscriptionEvent.gap(gap))".hasPrefix("gap: messages of 2.03 s"))
        #expect(
            "\(Gap(.overflow, lost: 7))"
                == "7 messages dropped: the subscriber was slower than its buffer")
        #expect("\(Gap(.incomplete(description: "odd")))" == "a message is missing: odd")
        let server = ServerInfo(product: "redis", version: "7.0.15", protocol: "RESP3")
        #expect("\(BroadcastStatus.ready(server))" == "ready: redis 7.0.15, RESP3")
        #expect(
            "\(BroadcastStatus.down(.unreachable("h:1: refused"), retryIn: .milliseconds(50)))"
                == "down: server not reachable: h:1: refused; next try in 50 ms")
        #expect("\(BroadcastStatistics(published: 3))".hasPrefix("3 published, 0 received"))
        #expect("\(BroadcastLogEntry(level: .info, message: "all is well"))" == "all is well")
        #expect("\(ServerAddress(host: "::1", port: 5432))" == "[::1]:5432")
    }

    /// swift-log's levels have these names as raw values.
    @Test func levelsAreThoseOfALogger() {
        let names = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        for level in BroadcastLogEntry.Level.allCases { #expect(names.contains(level.rawValue)) }
    }

    @Test(arguments: [
        (BroadcastError.unreachable(""), true), (.connectionLost(""), true), (.timedOut(""), true),
        (.temporarilyRefused(""), true), (.disconnected(""), true), (.invalidURL(""), false),
        (.invalid(""), false), (.authenticationFailed(""), false), (.permissionDenied(""), false),
        (.refused(""), false), (.protocolViolation(""), false), (.outcomeUnknown(""), false),
        (.overflow(lost: 1), false), (.incomplete([]), false), (.cancelled, false),
        (.notConnected, false), (.insecure(""), false), (.historyUnsupported(""), false),
    ])
    func anErrorSaysWhetherTheSameCallMayBeTriedAgain(error: BroadcastError, isRetryable: Bool) {
        #expect(error.isRetryable == isRetryable)
    }
}
