import Broadcaster
import Testing

/// A user's own backend.
private struct Moody: LoopbackBackend {
    struct Refusal: Error {}

    func deliveries(of message: [UInt8], to channel: String) throws -> [[UInt8]] {
        switch channel {
        case "lossy": []
        case "doubling": [message, message]
        case "failing": throw Refusal()
        default: [message]
        }
    }

    func authorize(subscribingTo channel: String) throws {
        if channel == "secret" { throw Refusal() }
    }
}

struct LoopbackTests {
    @Test func aBackendOfOnesOwnDecides() async throws {
        let broadcast = Broadcast(Moody())
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "lossy", "doubling", "plain")
        #expect(try await broadcast.publish("1", to: "lossy").receivers == 0)
        #expect(try await broadcast.publish("2", to: "doubling").receivers == 1)
        #expect(try await broadcast.publish("3", to: "plain").receivers == 1)
        await #expect(throws: BroadcastError.refused("Refusal()")) {
            try await broadcast.publish("4", to: "failing")
        }
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: "plain", "secret")
        }
        guard case .permissionDenied? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        await broadcast.disconnect()
        var seen: [String] = []
        for try await message in subscription { seen.append(message.text) }
        #expect(seen == ["2", "2", "3"])
    }
}
