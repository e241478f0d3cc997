import BroadcasterKafka
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let transcripts = Fixtures.names(in: "kafka").filter { $0.hasSuffix(".transcript") }
    .map { Transcript(named: $0) }

/// Conversations that were recorded with Tansu and with librdkafka's mock cluster.
struct KafkaTranscriptTests {
    /// Batches that are sent bear the time of sending, so what was published is not compared.
    @Test(arguments: transcripts.filter { !$0.name.contains("publish") }, Feed.allCases)
    func replays(transcript: Transcript, feed: Feed) throws {
        let backend = try backend(transcript.url)
        let server = try #require(backend.endpoints.first)
        var player = TranscriptPlayer(
            backend.makeSession(nonce: "n", time: 0), to: PeerInfo(endpoint: server))
        player.playAsWhole(transcript, feed: feed)
    }

    private func backend(_ url: String) throws -> KafkaBackend {
        let options = CommonOptions(
            connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
            maximumMessageSize: 64 << 20)
        return try KafkaBackend(try ServerURL(url), options: options)
    }

    @Test func thereAreTranscriptsOfBothBrokers() {
        for name in ["tansu", "mock"] {
            #expect(transcripts.count { $0.name.contains(name) } >= 5)
        }
    }

    /// Promise 10: a session yields events or throws, and ends, whatever bytes come.
    @Test(arguments: transcripts)
    func survivesDamage(transcript: Transcript) throws {
        var random = SeededRandom()
        let backend = try backend(transcript.url)
        let peer = PeerInfo(endpoint: try #require(backend.endpoints.first))
        for round in 0..<30 {
            var session = backend.makeSession(nonce: "n", time: 0)
            var output = SessionOutput()
            session.opened(.main, to: peer, at: .now, into: &output)
            var buffers: [Lane: ReceiveBuffer] = [:]
            do throws(ProtocolError) {
                for step in transcript.steps {
                    guard case .received(let lane, let bytes) = step.input else { continue }
                    let isDamaged = Int.random(in: 0..<4, using: &random) == 0
                    buffers[lane, default: ReceiveBuffer()].append(
                        isDamaged ? Mutation.apply(to: bytes, using: &random) : bytes)
                    try session.receive(
                        &buffers[lane, default: ReceiveBuffer()], on: lane, at: .now, into: &output)
                    session.perform(
                        .subscribe([Topic(id: 0, name: .channel("chat"))]), at: .now, into: &output)
                    for wish in output.takeConnections() {
                        session.opened(wish.lane, to: peer, at: .now, into: &output)
                    }
                    _ = output.takeEvents()
                }
            } catch {
                #expect(!error.description.isEmpty, "seed \(random.seed), round \(round)")
            }
        }
    }
}
