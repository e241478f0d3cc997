package import BroadcasterWire
package import Testing

/// Replays a transcript against a session, which sees its bytes in the pieces that `feed` makes.
package struct TranscriptPlayer {
    private var session: any Session
    private var output = SessionOutput()
    private var buffers: [Lane: ReceiveBuffer] = [:]
    private var topics: [TopicName: Topic] = [:]
    private var lastTicket: UInt64 = 0
    private var sent: [Int: [UInt8]] = [:]
    private var told: [String] = []

    private let peer: PeerInfo
    private let moment: Instant?

    /// - Parameters:
    ///   - peer: the server of the main lane, for sessions that compare its address with others.
    ///   - moment: the time, which stands still: for sessions that ask again when an answer takes long. nil: it passes.
    package init(
        _ session: any Session, to peer: PeerInfo = .test, at moment: Instant? = nil
    ) {
        self.session = session
        self.peer = peer
        self.moment = moment
    }

    private var now: Instant { moment ?? .now }

    /// Plays all steps, and compares the session's output with the recorded one.
    package mutating func play(
        _ transcript: Transcript, feed: Feed, _ location: SourceLocation = #_sourceLocation
    ) {
        for (number, step) in transcript.steps.enumerated() {
            sent = [:]
            told = []
            perform(step.input, feed: feed)
            let place = "\(transcript.name), step \(number), \(feed)"
            #expect(told == step.told, "\(place)", sourceLocation: location)
            for lane in Set(sent.keys).union(step.sent.keys) {
                let was = TranscriptLine.escape(sent[lane] ?? [])
                let expected = TranscriptLine.escape(step.sent[lane] ?? [])
                #expect(was == expected, "\(place), lane \(lane)", sourceLocation: location)
            }
        }
    }

    /// Plays all steps, and compares what was sent on each lane, and what was told, as a whole: a session that opens lanes by
    /// itself sends the first bytes on them when they are open, which is no step of the recording.
    package mutating func playAsWhole(
        _ transcript: Transcript, feed: Feed, _ location: SourceLocation = #_sourceLocation
    ) {
        sent = [:]
        told = []
        for step in transcript.steps { perform(step.input, feed: feed) }
        let place = "\(transcript.name), \(feed)"
        #expect(told == transcript.steps.flatMap(\.told), "\(place)", sourceLocation: location)
        let expected = transcript.steps.reduce(into: [Int: [UInt8]]()) { all, step in
            all.merge(step.sent) { $0 + $1 }
        }
        for lane in Set(sent.keys).union(expected.keys) {
            let (was, should) = (sent[lane] ?? [], expected[lane] ?? [])
            #expect(
                TranscriptLine.escape(was) == TranscriptLine.escape(should),
                "\(place), lane \(lane)", sourceLocation: location)
        }
    }

    private mutating func perform(_ input: Transcript.Step.Input, feed: Feed) {
        switch input {
        case .opened: session.opened(.main, to: peer, at: now, into: &output)
        case .commands(let lines):
            for command in commands(lines) { session.perform(command, at: now, into: &output) }
        case .received(let lane, let bytes):
            for piece in feed.pieces(of: bytes) { receive(piece, on: lane) }
        }
        collect()
    }

    private mutating func receive(_ piece: [UInt8], on lane: Lane) {
        buffers[lane, default: ReceiveBuffer()].append(piece)
        do throws(ProtocolError) {
            try session.receive(
                &buffers[lane, default: ReceiveBuffer()], on: lane, at: now, into: &output)
            collect()
            try doWork()
        } catch {
            collect()
            told.append(TranscriptLine.error(error))
        }
    }

    /// Does the work that the session does in slices: it asks for a time that has passed.
    private mutating func doWork() throws(ProtocolError) {
        while let due = session.deadline, due <= now {
            try session.timeReached(now, into: &output)
            collect()
        }
    }

    private mutating func collect() {
        for wish in output.takeConnections() {
            session.opened(wish.lane, to: .test, at: now, into: &output)
        }
        output.drainBytes { lane, bytes in
            sent[lane.index, default: []] += bytes
            bytes = []
        }
        let names = Dictionary(uniqueKeysWithValues: topics.values.map { ($0.id, $0.name) })
        for event in output.takeEvents() {
            told += TranscriptLine.event(event) { names[$0] }
        }
    }

    /// Messages that follow each other were published by one command.
    private mutating func commands(_ lines: [String]) -> [Command] {
        var commands: [Command] = []
        for line in lines {
            let next = command(line)
            if case .publish(let earlier)? = commands.last, case .publish(let more) = next {
                commands[commands.count - 1] = .publish(earlier + more)
            } else {
                commands.append(next)
            }
        }
        return commands
    }

    /// A command as `TranscriptLine` writes it.
    private mutating func command(_ text: String) -> Command {
        let words = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        switch words[0] {
        case "subscribe": return .subscribe(topicList(text))
        case "unsubscribe": return .unsubscribe(topicList(text))
        case "publish":
            defer { lastTicket += 1 }
            return .publish(
                [
                    Publication(
                        ticket: lastTicket,
                        channel: String(decoding: Transcript.unescape(words[1]), as: UTF8.self),
                        payload: .bytes(Transcript.unescape(words[2])))
                ])
        case "read": return read(text)
        case "ping": return .ping
        default: return .close
        }
    }

    /// `read TICKET CHANNEL …`
    private mutating func read(_ text: String) -> Command {
        let words = text.split(separator: " ").map(String.init)
        guard words.count > 3, let ticket = UInt64(words[1]),
            let kind = TranscriptLine.requestKind(Array(words[3...]))
        else { return .close }
        let name = TopicName.channel(bytes: Transcript.unescape(words[2]))
        let topic = topics[name] ?? Topic(id: -1, name: name)
        return .read([HistoryRequest(ticket: ticket, channel: topic, kind: kind)])
    }

    private mutating func topicList(_ text: String) -> [Topic] {
        text.split(separator: " ").dropFirst().map { word in
            let isPattern = word.first == "~"
            let bytes = Transcript.unescape(isPattern ? word.dropFirst() : word)
            let name =
                isPattern
                ? TopicName.pattern(String(decoding: bytes, as: UTF8.self)) : .channel(bytes: bytes)
            let topic = topics[name] ?? Topic(id: topics.count, name: name)
            topics[name] = topic
            return topic
        }
    }
}

extension PeerInfo {
    /// The other end of a lane in a test.
    package static let test = PeerInfo(endpoint: .unix(path: "test"))
}
