public import BroadcasterWire

/// Replays a transcript against a session, which gets the server's bytes in the pieces that a ``Feed`` makes.
///
/// <!-- context: let backend: any Backend = made(); let transcript: Transcript = made() -->
/// ```swift
/// var player = TranscriptPlayer(backend.makeSession())
/// print(player.differences(from: transcript, feed: .byteByByte))      // none, where nothing differs
/// ```
public struct TranscriptPlayer {
    private var session: any Session
    private var output = SessionOutput()
    private var buffers: [Lane: ReceiveBuffer] = [:]
    private var topics: [TopicName: Topic] = [:]
    private var lastTicket: UInt64 = 0
    private var sent: [Int: [UInt8]] = [:]
    private var told: [String] = []

    private let peer: PeerInfo
    /// Time stands still: a slow machine is no silent server.
    private let now = Instant.now

    /// A player for a session that has not been opened. It plays one transcript.
    ///
    /// - Parameters:
    ///   - session: a session as its backend makes it.
    ///   - peer: the server of the main lane, for sessions that compare its address with others.
    public init(_ session: any Session, to peer: PeerInfo = .scripted) {
        self.session = session
        self.peer = peer
    }

    /// Plays all steps, and returns where the session's output differs from the recorded one; empty where it does not.
    public mutating func differences(from transcript: Transcript, feed: Feed) -> [String] {
        var differences: [String] = []
        for (number, step) in transcript.steps.enumerated() {
            sent = [:]
            told = []
            perform(step.input, feed: feed)
            let place = "\(transcript), step \(number), \(feed)"
            differences += TranscriptPlayer.difference("told", told, step.told, at: place)
            differences += difference(from: step.sent, at: place)
        }
        return differences
    }

    /// Plays all steps, and compares what was sent on each lane, and what was told, as a whole: a session that opens lanes by
    /// itself sends the first bytes on them when they are open, which is no step of the recording.
    ///
    /// - Parameters:
    ///   - transcript: the recording.
    ///   - feed: the pieces in which the server's bytes come.
    ///   - essence: what counts of the bytes that were sent on a lane; by default all.
    public mutating func differencesOfTheWhole(
        from transcript: Transcript, feed: Feed,
        comparing essence: ([UInt8]) -> [UInt8] = { $0 }
    ) -> [String] {
        sent = [:]
        told = []
        for step in transcript.steps { perform(step.input, feed: feed) }
        let place = "\(transcript), \(feed)"
        let expected = transcript.steps.reduce(into: [Int: [UInt8]]()) { all, step in
            all.merge(step.sent) { $0 + $1 }
        }
        sent = sent.mapValues(essence)
        return TranscriptPlayer.difference(
            "told", oneBell(told), oneBell(transcript.steps.flatMap(\.told)), at: place)
            + difference(from: expected.mapValues(essence), at: place)
    }

    /// Plays all steps, and returns the lines that the session told: for servers that do not exist.
    public mutating func told(in transcript: Transcript, feed: Feed = .whole) -> [String] {
        told = []
        for step in transcript.steps { perform(step.input, feed: feed) }
        return told
    }

    /// Plays all steps with damage to the server's bytes, and asks for channels and messages in between. Returns what the
    /// session told; that it returns is the test, since a session throws, and does not end the program, whatever comes.
    public mutating func playDamaged(
        _ transcript: Transcript, using random: inout some RandomNumberGenerator
    ) -> [String] {
        told = []
        for step in transcript.steps {
            guard case .received(let lane, var bytes) = step.input else {
                perform(step.input, feed: .whole)
                continue
            }
            for _ in 0..<Int.random(in: 0...2, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: bytes.indices, using: &random)
                let end = min(place + Int.random(in: 1...8, using: &random), bytes.count)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 2: bytes.removeSubrange(place..<end)
                default: bytes.insert(contentsOf: bytes[place..<end], at: place)
                }
            }
            let count = told.count
            receive(bytes, on: lane)
            // After an error a session is not used again.
            if told.dropFirst(count).contains(where: { $0.hasPrefix("x") }) { break }
        }
        return told
    }

    private func difference(from expected: [Int: [UInt8]], at place: String) -> [String] {
        Set(sent.keys).union(expected.keys).sorted().flatMap { lane in
            TranscriptPlayer.difference(
                "sent on lane \(lane)", [TranscriptLine.escape(sent[lane] ?? [])],
                [TranscriptLine.escape(expected[lane] ?? [])], at: place)
        }
    }

    private static func difference(
        _ what: String, _ found: [String], _ expected: [String], at place: String
    ) -> [String] {
        found == expected ? [] : ["\(place), \(what): expected \(expected), found \(found)"]
    }

    /// One bell stands for any number of them.
    private func oneBell(_ lines: [String]) -> [String] {
        lines.enumerated().filter { index, line in
            index == 0 || !line.hasPrefix("! rang") || lines[index - 1] != line
        }.map(\.element)
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
            session.opened(wish.lane, to: .scripted, at: now, into: &output)
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
    public static let scripted = PeerInfo(endpoint: .unix(path: "test"))
}
