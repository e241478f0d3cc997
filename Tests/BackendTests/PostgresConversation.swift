import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(1000),
    maximumMessageSize: 1 << 20)

/// A session of Postgres, with its nonce given.
func postgresSession(_ url: String, nonce: String? = nil) throws -> any Session {
    try PostgresBackend(try ServerURL(url), options: options, environment: .empty)
        .makeSession(nonce: nonce ?? "abcdefghijklmnopqrstuvwx")
}

func text(_ string: String) -> [UInt8] { Array(string.utf8) }

/// Tests that play the server to a session of Postgres.
protocol PostgresConversation {}

extension PostgresConversation {
    var nonce: String { "abcdefghijklmnopqrstuvwx" }

    var ready: ServerMessage { .readyForQuery(.idle) }

    /// A greeting by process 42, and the answers to the requests before the first command.
    func login(process: String) -> [ServerMessage] {
        [
            .authentication(.ok), .parameterStatus(name: "client_encoding", value: "UTF8"),
            .backendKeyData(process: 42, key: [1, 2, 3, 4]), ready, .parseComplete, .parseComplete,
            ready, .parseComplete, .bindComplete, .dataRow([text(process)]),
            .commandComplete("SELECT 1"), ready,
        ]
    }

    var listened: [ServerMessage] {
        [.parseComplete, .bindComplete, .commandComplete("LISTEN"), ready]
    }

    func hear(
        _ messages: [ServerMessage], _ session: inout any Session, _ output: inout SessionOutput,
        on lane: Lane = .main
    ) throws -> [Event] {
        var bytes: [UInt8] = []
        for message in messages { message.append(to: &bytes) }
        var buffer = ReceiveBuffer(bytes)
        try session.receive(&buffer, on: lane, at: .now, into: &output)
        return output.takeEvents()
    }

    func say(_ messages: [ServerMessage]) throws -> (sent: [UInt8], events: [Event]) {
        var session = try postgresSession("postgres://user:hunter2@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        var sent: [UInt8] = []
        for message in messages {
            var bytes: [UInt8] = []
            message.append(to: &bytes)
            var buffer = ReceiveBuffer(bytes)
            defer { sent += output[.main] }
            try session.receive(&buffer, on: .main, at: .now, into: &output)
            while let due = session.deadline, due <= .now {
                try session.timeReached(.now, into: &output)
            }
        }
        return (sent, output.takeEvents())
    }
}
