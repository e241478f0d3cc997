import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Large messages whose parts do not all come.
struct PostgresPartsTests {
    private let nonce = "abcdefghijklmnopqrstuvwx"

    /// The events of a session that listens to `chat` and receives these payloads.
    private func told(of payloads: [String]) throws -> [String] {
        var session = try postgresSession("postgres://u@h/d", nonce: nonce)
        var output = SessionOutput()
        session.opened(.main, to: .test, at: .now, into: &output)
        func receive(_ messages: [ServerMessage]) throws {
            var bytes: [UInt8] = []
            for message in messages { message.append(to: &bytes) }
            var buffer = ReceiveBuffer(bytes)
            try session.receive(&buffer, on: .main, at: .now, into: &output)
        }
        // The login, the preparation, and the process's number.
        try receive([
            .authentication(.ok), .backendKeyData(process: 7, key: [1, 2, 3, 4]),
            .readyForQuery(.idle),
            .parseComplete, .readyForQuery(.idle), .dataRow([text("7")]),
            .commandComplete("SELECT 1"),
            .readyForQuery(.idle),
        ])
        session.perform(.subscribe([Topic(id: 0, name: .channel("chat"))]), at: .now, into: &output)
        try receive([
            .commandComplete("LISTEN"), .readyForQuery(.idle),
            .notification(
                process: 7, channel: text("broadcaster_probe_\(nonce)"), payload: text(nonce)),
        ])
        _ = output.takeEvents()
        try receive(
            payloads.map {
                .notification(process: 9, channel: text("chat"), payload: text($0))
            })
        return output.takeEvents().flatMap { TranscriptLine.event($0) { _ in .channel("chat") } }
    }

    @Test func theyAreAGapInTheirPlaceAndTheRestGoesOn() throws {
        let told = try told(of: [
            "before", "broadcaster:1:p:1:1/3:a", "broadcaster:1:p:1:2/3:b", "after",
            "broadcaster:1:p:2:1/2:c", "broadcaster:1:p:2:2/2:d",
            "broadcaster:1:p:3:1/2:e", "broadcaster:1:?:marked by another",
        ])
        #expect(
            told == [
                "! message chat before",
                "! undeliverable chat a large message came without all its parts",
                "! message chat after", "! message chat cd",
                "! undeliverable chat a large message came without all its parts",
                "! message chat broadcaster:1:?:marked by another",
            ])
    }
}
