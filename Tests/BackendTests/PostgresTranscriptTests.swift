import BroadcasterTestSupport
import BroadcasterWire
import Testing

let postgresTranscripts = Fixtures.names(in: "postgres").filter { $0.hasSuffix(".transcript") }
    .map { Transcript(named: $0) }

struct PostgresTranscriptTests {
    @Test(arguments: postgresTranscripts, Feed.allCases)
    func replays(transcript: Transcript, feed: Feed) throws {
        var player = TranscriptPlayer(try postgresSession(transcript.url, nonce: transcript.nonce))
        player.play(transcript, feed: feed)
    }

    @Test func thereAreTranscriptsOfTwoVersions() {
        for version in ["15.20", "18.6"] {
            #expect(postgresTranscripts.contains { $0.name.contains(version) })
        }
    }

    /// Promise 10: a session yields events or throws, and ends, whatever bytes come.
    @Test(arguments: postgresTranscripts)
    func survivesDamage(transcript: Transcript) throws {
        var random = SeededRandom()
        for round in 0..<12 {
            var session = try postgresSession(transcript.url, nonce: transcript.nonce)
            var output = SessionOutput()
            session.opened(.main, to: .test, at: .now, into: &output)
            var bytes = Mutation.apply(to: transcript.received, using: &random)
            var buffer = ReceiveBuffer()
            do throws(ProtocolError) {
                while !bytes.isEmpty {
                    let count = min(Int.random(in: 1...2000, using: &random), bytes.count)
                    buffer.append(bytes.prefix(count))
                    bytes = Array(bytes.dropFirst(count))
                    try session.receive(&buffer, on: .main, at: .now, into: &output)
                    while let due = session.deadline, due <= .now {
                        try session.timeReached(.now, into: &output)
                    }
                    session.perform(
                        .subscribe([Topic(id: 0, name: .channel("chat"))]), at: .now, into: &output)
                    session.perform(
                        .publish([Publication(ticket: 0, channel: "c", payload: .text("x"))]),
                        at: .now, into: &output)
                    _ = output.takeEvents()
                }
            } catch {
                #expect(!error.description.isEmpty, "seed \(random.seed), round \(round)")
            }
        }
    }
}
