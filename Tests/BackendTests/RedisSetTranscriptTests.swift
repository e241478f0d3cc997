import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(600),
    maximumMessageSize: 64 << 20)

/// A recording of conversations with several servers, one after the other.
private struct Recording: Sendable, CustomTestStringConvertible {
    let name: String
    let url: String
    /// The conversations, each with the server of its main lane.
    private(set) var parts: [(peer: PeerInfo, transcript: Transcript)] = []
    var testDescription: String { name }

    init(_ name: String) {
        self.name = name
        let lines = Fixtures.text(name).split(separator: "\n")
        url = String(lines[1].dropFirst(2))
        // The first host of the URL, or the one that has been asked: they give the same answers.
        let address = url.split(separator: "/")[1].split(whereSeparator: { ",?".contains($0) })[0]
        var peer = Recording.peer(String(address))
        var part: [Substring] = []
        for line in lines {
            part.append(line)
            guard line.hasPrefix("! redirected ") else { continue }
            add(part, peer)
            peer = Recording.peer(String(line.dropFirst("! redirected ".count)))
            part = Array(lines.prefix(2))
        }
        if part.count > 2 { add(part, peer) }
    }

    private mutating func add(_ lines: [Substring], _ peer: PeerInfo) {
        parts.append((peer, Transcript(name: name, text: lines.joined(separator: "\n"))))
    }

    private static func peer(_ address: String) -> PeerInfo {
        let parts = address.split(separator: ":")
        return PeerInfo(endpoint: .tcp(host: String(parts[0]), port: UInt16(parts[1]) ?? 0))
    }

    static func all(in folder: String) -> [Recording] {
        Fixtures.names(in: folder).filter { $0.hasSuffix(".transcript") }.map { Recording($0) }
    }

    func makeSession(nonce: String?) throws -> any Session {
        let nonce = nonce ?? "abcdefghijklmnopqrstuvwx"
        let url = try ServerURL(url)
        return name.hasPrefix("redis-sentinel")
            ? try SentinelBackend(url, options: options).makeSession(nonce: nonce)
            : try ClusterBackend(url, options: options).makeSession(nonce: nonce)
    }
}

private let recordings =
    Recording.all(in: "redis-sentinel") + Recording.all(in: "redis-cluster")

/// What sentinels and nodes of a cluster said, replayed and damaged.
struct RedisSetTranscriptTests {
    /// Those that move ask by their clock, which is not recorded.
    @Test(arguments: recordings.filter { !$0.name.contains("moving") }, Feed.allCases)
    private func replays(recording: Recording, feed: Feed) throws {
        for (peer, transcript) in recording.parts {
            let isClassic = recording.name.contains("classic")
            let nonce = try isClassic ? turn(recording, transcript, peer) : transcript.nonce
            let session = try recording.makeSession(nonce: nonce)
            var player = TranscriptPlayer(session, to: peer)
            player.playAsWhole(transcript, feed: feed)
        }
    }

    /// A nonce that turns the order of three nodes as the recorded one did, which stands in no byte.
    private func turn(
        _ recording: Recording, _ transcript: Transcript, _ peer: PeerInfo
    ) throws -> String? {
        try ["0", "1", "2"].first { nonce in
            var session = try recording.makeSession(nonce: nonce)
            var output = SessionOutput()
            var buffers: [Lane: ReceiveBuffer] = [:]
            session.opened(.main, to: peer, at: .now, into: &output)
            for step in transcript.steps {
                guard case .received(let lane, let bytes) = step.input else { continue }
                buffers[lane, default: ReceiveBuffer()].append(bytes)
                try session.receive(
                    &buffers[lane, default: ReceiveBuffer()], on: lane, at: .now, into: &output)
                for wish in output.takeConnections() {
                    session.opened(wish.lane, to: peer, at: .now, into: &output)
                }
                let told = output.takeEvents().flatMap { TranscriptLine.event($0) { _ in nil } }
                if let first = told.first { return step.told.first == first }
            }
            return false
        }
    }

    @Test func thereAreRecordingsOfEachKind() {
        for name in ["sentinel/stream", "sentinel/unknown", "cluster/sharded", "cluster/moving"] {
            #expect(recordings.contains { $0.name.contains(name) }, "\(name)")
        }
        #expect(recordings.contains { $0.parts.count == 2 })
    }

    /// Promise 10: a session yields events or throws, and ends, whatever bytes come on whatever lane.
    @Test(arguments: recordings)
    private func survivesDamage(recording: Recording) throws {
        var random = SeededRandom()
        for (peer, transcript) in recording.parts {
            for round in 0..<30 {
                let session = try recording.makeSession(nonce: transcript.nonce)
                do throws(ProtocolError) {
                    try play(transcript, session, peer, &random)
                } catch {
                    #expect(!error.description.isEmpty, "seed \(random.seed), round \(round)")
                }
            }
        }
    }

    private static let topic = Topic(id: 0, name: .channel("chat"))
    private static let commands: [Command] = [
        .subscribe([topic, Topic(id: 1, name: .channel("b"))]),
        .publish([Publication(ticket: 0, channel: "events", payload: .text("x"))]),
        .read([HistoryRequest(ticket: 1, channel: topic, kind: .start(.last(5)))]), .ping,
        .unsubscribe([topic]),
    ]

    private func play(
        _ transcript: Transcript, _ session: any Session, _ peer: PeerInfo,
        _ random: inout SeededRandom
    ) throws(ProtocolError) {
        var session = session
        var output = SessionOutput()
        var buffers: [Lane: ReceiveBuffer] = [.main: ReceiveBuffer()]
        var now = Instant.now
        session.opened(.main, to: peer, at: now, into: &output)
        for step in transcript.steps {
            for wish in output.takeConnections() where buffers[wish.lane] == nil {
                buffers[wish.lane] = ReceiveBuffer()
                let other = wish.endpoint.map { PeerInfo(endpoint: $0) } ?? peer
                session.opened(wish.lane, to: other, at: now, into: &output)
            }
            for lane in output.takeFinished() { buffers[lane] = nil }
            for event in output.takeEvents() {
                if case .rejected = event { return }
                if case .redirected = event { return }
            }
            guard case .received(let lane, let bytes) = step.input, buffers[lane] != nil else {
                continue
            }
            let isDamaged = Int.random(in: 0..<4, using: &random) == 0
            buffers[lane]?.append(isDamaged ? Mutation.apply(to: bytes, using: &random) : bytes)
            try session.receive(
                &buffers[lane, default: ReceiveBuffer()], on: lane, at: now, into: &output)
            for command in Self.commands where Int.random(in: 0..<3, using: &random) == 0 {
                session.perform(command, at: now, into: &output)
            }
            if Int.random(in: 0..<8, using: &random) == 0 {
                buffers[lane] = nil
                if session.lost(lane, .lost("x"), at: now, into: &output) == .ended { return }
            }
            now += .milliseconds(Int.random(in: 0..<500, using: &random))
            try session.timeReached(now, into: &output)
        }
    }
}
