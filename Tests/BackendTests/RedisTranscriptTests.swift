import BroadcasterTestSupport
import BroadcasterWire
import Testing

let redisTranscripts = Fixtures.names(in: "redis").filter { $0.hasSuffix(".transcript") }
    .map { Transcript(named: $0) }

struct RedisTranscriptTests {
    @Test(arguments: redisTranscripts, Feed.allCases)
    func replays(transcript: Transcript, feed: Feed) throws {
        let nonce = transcript.nonce ?? "abcdefghijklmnopqrstuvwx"
        var player = TranscriptPlayer(try redisSession(transcript.url, nonce: nonce))
        player.play(transcript, feed: feed)
    }

    @Test func thereAreTranscriptsOfThreeVersions() {
        for version in ["6.2.14", "7.0.15", "8.2.3"] {
            #expect(redisTranscripts.contains { $0.name.contains(version) })
        }
    }

    /// Promise 10: a session yields events or throws, and ends, whatever bytes come.
    @Test(arguments: redisTranscripts)
    func survivesDamage(transcript: Transcript) throws {
        var random = SeededRandom()
        for round in 0..<50 {
            var session = try redisSession(transcript.url)
            var output = SessionOutput()
            session.opened(.main, to: .test, at: .now, into: &output)
            var bytes = Mutation.apply(to: transcript.received, using: &random)
            var buffer = ReceiveBuffer()
            do throws(ProtocolError) {
                while !bytes.isEmpty {
                    let count = Int.random(in: 1...bytes.count, using: &random)
                    buffer.append(bytes.prefix(count))
                    bytes = Array(bytes.dropFirst(count))
                    try session.receive(&buffer, on: .main, at: .now, into: &output)
                    for lane in output.takeConnections().map(\.lane) {
                        session.opened(lane, to: .test, at: .now, into: &output)
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
