import BroadcasterRabbitMQ
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
        if transcript.url.contains("history=stream") {
            player.playAsWhole(transcript, feed: feed, comparing: Self.settled)
        } else {
            player.play(transcript, feed: feed)
        }
    }

    /// What was sent, without heartbeats, which the clock asks for, and of acknowledgements the last: they are as many as
    /// the pieces in which deliveries come.
    private static func settled(_ bytes: [UInt8]) -> [UInt8] {
        let header = AMQPFrame.protocolHeader
        var start = bytes.starts(with: header) ? header.count : 0
        var (frames, last): ([UInt8], ArraySlice<UInt8>) = ([], [])
        while let frame = try? AMQPFrame.next(in: bytes.span, at: start, limit: 1 << 20) {
            let whole = bytes[start..<frame.end]
            start = frame.end
            if frame.kind == .heartbeat { continue }
            if frame.kind == .method, case .basic(.ack)? = try? AMQPMethod(bytes[frame.payload]) {
                last = whole
            } else {
                frames += whole
            }
        }
        return frames + last
    }

    @Test func thereAreTranscripts() {
        #expect(rabbitTranscripts.filter { $0.name.contains("3.10.8") }.count >= 8)
        #expect(rabbitTranscripts.filter { $0.url.contains("history=stream") }.count >= 8)
    }

    private static let topic = Topic(id: 0, name: .channel("chat"))

    /// Readings are asked for on every session; one without a history has none.
    private static let commands: [Command] = [
        .subscribe([topic]),
        .read([
            HistoryRequest(ticket: 1, channel: topic, kind: .start(.all)),
            HistoryRequest(ticket: 2, channel: topic, kind: .start(.last(5))),
            HistoryRequest(
                ticket: 3, channel: topic,
                kind: .forwards(PageRequest(cursor: .after(Position(1, 7)), count: 5))),
            HistoryRequest(ticket: 4, channel: topic, kind: .backwards(before: nil, count: 5)),
        ]),
    ]

    /// Promise 10: a session yields events or throws, and ends, whatever bytes come.
    @Test(arguments: rabbitTranscripts)
    func survivesDamage(transcript: Transcript) throws {
        var random = SeededRandom()
        for round in 0..<30 {
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
                    for command in Self.commands where Int.random(in: 0..<3, using: &random) > 0 {
                        session.perform(command, at: .now, into: &output)
                    }
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
