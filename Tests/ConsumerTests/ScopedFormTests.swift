import Broadcaster
import Testing

/// The scoped forms as a user's module sees them, which is compiled without any upcoming feature of Swift.
@Suite(.timeLimit(.minutes(1)))
struct ScopedFormTests {
    /// The shape of Hummingbird's `ResponseBodyWriter`: not `Sendable`, and given to a closure that is.
    private protocol Writer {
        mutating func write(_ text: String) async throws
        consuming func finish() async throws
    }

    private struct ResponseBody {
        let body: @Sendable (inout any Writer) async throws -> Void

        init(_ body: @Sendable @escaping (inout any Writer) async throws -> Void) {
            self.body = body
        }
    }

    private final class Page: Writer {
        var lines: [String] = []
        var isFinished = false

        func write(_ text: String) async throws { lines.append(text) }
        consuming func finish() async throws { isFinished = true }
    }

    @Test func aResponseWriterCanBeUsedInside() async throws {
        let broadcast = try Broadcast(.memory)
        try await broadcast.connect()
        let response = ResponseBody { writer in
            try await broadcast.withSubscription(to: "a", "b", patterns: "n*") { messages in
                try await broadcast.publish("1", to: "a")
                try await broadcast.publish("2", to: "news")
                for try await message in messages {
                    try await writer.write("\(message)")
                    if message.text == "2" { break }
                }
            }
            try await writer.finish()
        }
        let page = Page()
        var writer: any Writer = page
        try await response.body(&writer)
        #expect(page.lines == ["a: 1", "news: 2"])
        #expect(page.isFinished)
        #expect(broadcast.statistics.subscribers == 0)
        await broadcast.disconnect()
    }

    /// What is not `Sendable` stays with its actor.
    @MainActor
    @Test func aBodyRunsWhereItWasWritten() async throws {
        let page = Page()
        try await withBroadcast("memory://") { broadcast in
            MainActor.assertIsolated()
            let count = try await broadcast.withSubscription(to: ["a"], patterns: ["b*"]) { _ in
                MainActor.assertIsolated()
                page.lines.append("here")
                return page.lines.count
            }
            #expect(count == 1)
        }
    }

    @Test func aBodyOfTypedErrorsThrowsNoOthers() async throws {
        let broadcast = try Broadcast(.memory)
        try await broadcast.connect()
        func first() async throws(BroadcastError) -> String? {
            try await broadcast.withSubscription(to: "a") { messages throws(BroadcastError) in
                try await broadcast.publish("1", to: "a")
                for try await message in messages { return message.text }
                return nil
            }
        }
        #expect(try await first() == "1")
        func second() async throws(BroadcastError) -> Int {
            try await withBroadcast("memory://") { broadcast throws(BroadcastError) in
                try await broadcast.publish(contentsOf: ["1", "2"], to: "a").count
            }
        }
        #expect(try await second() == 2)
        // No warning about a result that is not used.
        try await broadcast.withSubscription(to: "a") { _ in 3 }
        await broadcast.disconnect()
        await #expect(throws: BroadcastError.notConnected) { try await first() }
    }

    @Test func theChannelsAreLeftHoweverTheBodyEnds() async throws {
        struct Mistake: Error {}
        let broadcast = try Broadcast(.memory)
        try await broadcast.connect()
        await #expect(throws: Mistake.self) {
            try await broadcast.withSubscription(to: "a") { _ in throw Mistake() }
        }
        #expect(broadcast.statistics.subscribers == 0)
        await broadcast.disconnect()
    }
}
