import Broadcaster
import BroadcasterTesting
import Testing

/// The answer to HELLO.
let hello = "%2\r\n+version\r\n+7.0.15\r\n+proto\r\n:3\r\n"

/// Tests on a scripted server: one that lies, falls silent, or goes away in the worst moment.
protocol ScriptedServerTesting {}

extension ScriptedServerTesting {
    /// A server that greets, and then runs `script` on later bytes.
    func server(
        _ script: @escaping @Sendable (ScriptedServer.Client, String) -> Void
    ) throws -> ScriptedServer {
        try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            // Later HELLOs, without a number, ask for the role; the script answers them.
            if text.contains("HELLO\r\n$1") { return client.send(hello) }
            script(client, text)
        }
    }

    func broadcast(
        to server: ScriptedServer, _ query: String = ""
    ) throws -> Broadcast {
        try Broadcast(
            "redis://127.0.0.1:\(server.port)?\(query)", options: .patient)
    }

    func expectUnknownOutcome(
        of publishing: () async throws -> Void, at location: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: BroadcastError.self, sourceLocation: location) {
            try await publishing()
        }
        guard case .outcomeUnknown? = error else {
            Issue.record("\(String(describing: error))", sourceLocation: location)
            return
        }
    }
}

extension BroadcastOptions {
    /// A test may run on a machine that is busy with all the others.
    static let patient: BroadcastOptions = {
        var options = BroadcastOptions()
        options.connectTimeout = .seconds(50)
        options.publishTimeout = .seconds(50)
        options.subscribeTimeout = .seconds(50)
        // Most scripts do not answer PING.
        options.pingInterval = .seconds(100)
        return options
    }()
}
