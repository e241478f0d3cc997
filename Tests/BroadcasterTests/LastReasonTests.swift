import Broadcaster
import BroadcasterTesting
import Testing

/// A call that runs out of time says what ended the last connection.
@Suite(.timeLimit(.minutes(2)))
struct LastReasonTests: ScriptedServerTesting {
    @Test func aSubscribeThatTimesOutTellsWhyConnectionsEnded() async throws {
        let server = try server { client, text in
            if text.contains("SUBSCRIBE") { client.close() }
        }
        var options = BroadcastOptions.patient
        options.subscribeTimeout = .milliseconds(300)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: "c")
        }
        guard case .disconnected(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("closed the connection"), "\(text)")
        await broadcast.disconnect()
    }

    /// Nothing was lost: there is nothing to tell.
    @Test func withoutALossThereIsNoReason() async throws {
        let server = try server { _, _ in }
        var options = BroadcastOptions.patient
        options.subscribeTimeout = .milliseconds(50)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: "c")
        }
        #expect(
            error == .timedOut("the server did not confirm the subscription in time"),
            "\(String(describing: error))")
        await broadcast.disconnect()
    }
}
