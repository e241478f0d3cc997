import Broadcaster
import BroadcasterTesting
import NATS
import Testing

/// The promises of the library, on a real nats-server.
@Suite(.enabled(if: NATSServer.isAvailable, "needs nats-server"), .timeLimit(.minutes(5)))
struct ConformanceTests {
    private static let server = Task { try await NATSServer(password: "tell-nobody-71") }

    @Test(arguments: BackendConformance.everywhere + BackendConformance.overANetwork)
    func keeps(_ promise: BackendConformance) async throws {
        let server = try await Self.server.value
        var subject = ConformanceSubject(serverPort: server.port) { port, options in
            try Broadcast(
                "nats://tester:tell-nobody-71@127.0.0.1:\(port)", backends: [NATSBackend.self],
                options: options)
        }
        subject.secret = "tell-nobody-71"
        subject.pattern = { "\($0).>" }
        try await promise.check(on: subject)
    }

    @Test func aWrongPasswordIsRefusedAtOnce() async throws {
        let server = try await Self.server.value
        let broadcast = try Broadcast(
            "nats://tester:wrong@127.0.0.1:\(server.port)", backends: [NATSBackend.self])
        let error = await #expect(throws: BroadcastError.self) { try await broadcast.connect() }
        guard case .authenticationFailed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
