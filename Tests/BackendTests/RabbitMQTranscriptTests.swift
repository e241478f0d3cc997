import BroadcasterTestSupport
import BroadcasterWire
import Testing

let rabbitTranscripts = Fixtures.names(in: "rabbitmq").filter { $0.hasSuffix(".transcript") }
    .map { Transcript(named: $0) }

struct RabbitMQTranscriptTests {
    @Test(arguments: rabbitTranscripts, Feed.allCases)
    func replays(transcript: Transcript, feed: Feed) throws {
        let nonce = transcript.nonce ?? "abcdefghijklmnopqrstuvwx"
        var player = TranscriptPlayer(try rabbitSession(transcript.url, nonce: nonce))
        player.play(transcript, feed: feed)
    }

    @Test func thereAreTranscripts() {
        #expect(rabbitTranscripts.filter { $0.name.contains("3.10.8") }.count >= 8)
    }

    /// Promise 10: a session yields events or throws, and ends, whatever bytes come.
    @Test(arguments: rabbitTranscripts)
    func survivesDamage(transcript: Transcript) throws {
        var random = SeededRandom()
        for round in 0..<100 {
            var session = try rabbitSession(transcript.url)
            var output = SessionOutput()
            session.opened(.main, to: .test, at: .now, into: &output)
            var buffers: [Lane: ReceiveBuffer] = [:]
            do throws(ProtocolError) {
                for step in transcript.steps {
                    guard case .received(let lane, let bytes) = step.input else { continue }
                    let isHit = Int.random(in: 0..<3, using: &random) == 0
                    let damaged = isHit ? Mutation.apply(to: bytes, using: &random) : bytes
                    buffers[lane, default: ReceiveBuffer()].append(damaged)
                    try session.receive(
                        &buffers[lane, default: ReceiveBuffer()], on: lane, at: .now, into: &output)
                    session.perform(
                        .subscribe([Topic(id: 0, name: .channel("chat"))]), at: .now, into: &output)
                    if session.intake != .none {
                        session.perform(
                            .publish([Publication(ticket: 0, channel: "c", payload: .text("x"))]),
                            at: .now, into: &output)
                    }
                    for lane in output.takeConnections().map(\.lane) {
                        session.opened(lane, to: .test, at: .now, into: &output)
                    }
                    _ = output.takeEvents()
                }
            } catch {
                #expect(!error.description.isEmpty, "seed \(random.seed), round \(round)")
            }
        }
    }
}
