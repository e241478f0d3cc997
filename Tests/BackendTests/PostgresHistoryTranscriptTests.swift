import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let transcripts = postgresTranscripts.filter { $0.name.contains("history-") }

/// A history's conversations, damaged; `PostgresTranscriptTests` replays them as they were.
struct PostgresHistoryTranscriptTests {
    private static let topic = Topic(id: 0, name: .channel("chat"))

    private static let commands: [Command] = [
        .subscribe([topic]),
        .publish([
            Publication(ticket: 0, channel: "c", payload: .text("x")),
            Publication(ticket: 1, channel: "b", payload: .text("y")),
        ]),
        .read([
            HistoryRequest(ticket: 1, channel: topic, kind: .start(.since(.seconds(60)))),
            HistoryRequest(ticket: 2, channel: topic, kind: .start(.last(5))),
            HistoryRequest(
                ticket: 3, channel: topic,
                kind: .forwards(
                    PageRequest(
                        cursor: .after(Position(epoch: 1, 7, 7)), count: 5,
                        earlier: [Position(epoch: 1, 6, 6)]))),
            HistoryRequest(ticket: 4, channel: topic, kind: .backwards(before: nil, count: 5)),
        ]), .ping, .unsubscribe([topic]),
    ]

    @Test func thereAreTranscripts() {
        #expect(transcripts.count >= 7)
    }

    /// Promise 10, with every command under way.
    @Test(arguments: transcripts)
    func survivesDamage(transcript: Transcript) throws {
        var random = SeededRandom()
        for round in 0..<12 {
            var session = try postgresSession(transcript.url, nonce: transcript.nonce)
            var output = SessionOutput()
            var buffer = ReceiveBuffer()
            session.opened(.main, to: .test, at: .now, into: &output)
            var damaged = Int.random(in: 0..<transcript.steps.count, using: &random)
            do throws(ProtocolError) {
                for step in transcript.steps {
                    guard case .received(_, let bytes) = step.input else { continue }
                    damaged -= 1
                    buffer.append(
                        damaged == 0 ? Mutation.apply(to: bytes, using: &random) : bytes)
                    try session.receive(&buffer, on: .main, at: .now, into: &output)
                    while let due = session.deadline, due <= .now {
                        try session.timeReached(.now, into: &output)
                    }
                    for command in Self.commands where Int.random(in: 0..<3, using: &random) == 0 {
                        session.perform(command, at: .now, into: &output)
                    }
                    _ = output.takeEvents()
                }
            } catch {
                #expect(!error.description.isEmpty, "seed \(random.seed), round \(round)")
            }
        }
    }
}
