import Broadcaster
import BroadcasterTesting
import Testing

/// Tasks that run on the thread of the connection.
@Suite(.timeLimit(.minutes(2)))
struct TaskExecutorTests: ScriptedServerTesting {
    @Test func tasksMayRunWhereTheConnectionIsServed() async throws {
        let server = try server { client, text in
            if text.contains("PUBLISH") { client.send(":1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        #expect(broadcast.executor == nil)
        try await broadcast.connect()
        try await withTaskExecutorPreference(broadcast.executor) {
            for _ in 0..<100 {
                let count = try await broadcast.publish("x", to: "c")
                #expect(count.receivers == 1)
            }
            await broadcast.disconnect()
        }
        #expect(broadcast.executor == nil)
    }
}
