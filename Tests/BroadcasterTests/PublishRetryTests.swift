import Broadcaster
import BroadcasterTesting
import Testing

@Suite(.timeLimit(.minutes(1)))
struct PublishRetryTests {
    @Test func atLeastOnceSendsAgainWhenTheAnswerIsLost() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        connection.loseBeforeNextAnswer()
        let publishing = Task { try await broadcast.publish("x", to: "c", retry: .atLeastOnce) }
        await connection.clock.sleepers(1)
        connection.restore()
        #expect(try await publishing.value.receivers == 1)
        for try await message in subscription {
            #expect(message.text == "x")
            break
        }
    }

    @Test func atLeastOnceEndsWithItsTime() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        connection.loseBeforeNextAnswer()
        let publishing = Task { try await broadcast.publish("x", to: "c", retry: .atLeastOnce) }
        await connection.clock.sleepers(1)
        connection.clock.advance(by: .seconds(5))
        // Not `disconnected` (nothing was sent): that is true of the second time alone.
        let error = await #expect(throws: BroadcastError.self) { try await publishing.value }
        guard case .outcomeUnknown? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
