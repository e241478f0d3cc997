import BroadcasterWire

/// One reading from a stream: the commands that it takes, and what their answers mean. A pure value.
///
/// A page is read with the entry next to the cursor (XRANGE from its id on): where it stands first, nothing is missing.
/// Where another does, XINFO tells what has happened: see `StreamVerdict`.
struct StreamRead: Sendable {
    /// The answer to the request, or the next command.
    enum Progress: Sendable {
        case send([[String]])
        case done(HistoryPage, bytes: Int)
        /// The answers to other commands are still due.
        case wait
    }

    private enum Step: Sendable {
        /// The page, or the oldest or youngest entry of a start.
        case entries
        /// Leads to: entries, information.
        case time
        case information([StreamEntry])
        /// Looks for the newest of these that is still there; so many answers are due.
        case lookUp([Position], due: Int, found: Position?, otherwise: Cursor)
        /// Walks back from the youngest entry.
        case window(left: Int, first: Position?)
    }

    let request: HistoryRequest
    private let origin: Origin
    private let pageSize: Int
    private var step = Step.entries

    /// - Parameter pageSize: the entries that make a page of some 256 KiB.
    init(_ request: HistoryRequest, _ origin: Origin, pageSize: Int) {
        self.request = request
        self.origin = origin
        self.pageSize = pageSize
    }

    // MARK: Commands

    /// The commands to begin with. The stream's key stands where `key` is.
    mutating func begin() -> [[String]] {
        switch request.kind {
        case .start(.new), .start(.after):
            step = .information([])
            return [StreamRead.information]
        case .start(.all): return [["XRANGE", StreamRead.key, "-", "+", "COUNT", "1"]]
        case .start(.last(let count)):
            step = .window(left: count, first: nil)
            return [window(before: nil, count)]
        case .start(.since):
            step = .time
            return [["TIME"]]
        case .forwards(let page):
            return [
                [
                    "XRANGE", StreamRead.key, page.cursor.position.streamID, end(of: page), "COUNT",
                    String(count(of: page)),
                ]
            ]
        case .backwards(let position, let count):
            return [window(before: position, min(count, pageSize))]
        }
    }

    /// Stands for the stream's key, which need not be text.
    static let key = "\u{0}key"
    private static let information = ["XINFO", "STREAM", key]

    private func window(before position: Position?, _ count: Int) -> [String] {
        [
            "XREVRANGE", StreamRead.key, position.map { "(\($0.streamID)" } ?? "+", "-", "COUNT",
            String(min(count, pageSize)),
        ]
    }

    private func end(of page: PageRequest) -> String {
        page.end.map { $0 < page.cursor.position ? "+" : $0.streamID } ?? "+"
    }

    /// With the entry that proves the cursor, which is read before already.
    private func count(of page: PageRequest) -> Int {
        min(page.count, pageSize) + (page.cursor.isInclusive ? 0 : 1)
    }

    // MARK: Answers

    mutating func receive(_ reply: RESPValue) throws(ProtocolError) -> Progress {
        switch step {
        case .time: return try receiveTime(reply)
        case .entries: return try receive(StreamEntry.list(reply))
        case .window(let left, let first):
            return try receiveWindow(StreamEntry.list(reply), left: left, first)
        case .information(let entries):
            let information = isMissing(reply) ? nil : try StreamInformation(reply)
            return decide(entries, information)
        case .lookUp(let earlier, let due, let found, let otherwise):
            let isThere = try !StreamEntry.list(reply).isEmpty
            let position = earlier[earlier.count - due]
            let newest = found ?? (isThere ? position : nil)
            step = .lookUp(earlier, due: due - 1, found: newest, otherwise: otherwise)
            guard due == 1 else { return .wait }
            return done(.reset, next: newest.map { .after($0) } ?? otherwise)
        }
    }

    /// An error that says that there is no such stream.
    private func isMissing(_ reply: RESPValue) -> Bool {
        if case .error = reply { true } else { false }
    }

    /// True if "no such key" is an answer here: XINFO has none for a stream that is not there.
    var expectsMissingStream: Bool {
        if case .information = step { true } else { false }
    }

    /// Seconds, as of a date or between two: more than there ever are.
    private static let longestTime = 1 << 40

    private mutating func receiveTime(_ reply: RESPValue) throws(ProtocolError) -> Progress {
        guard case .array(let parts) = reply, case .start(.since(let time)) = request.kind,
            let seconds = parts.first?.plain.text.flatMap({
                Int(String(decoding: $0, as: UTF8.self))
            }), (0...StreamRead.longestTime).contains(seconds)
        else {
            throw ProtocolError(
                reading: "Redis TIME", expected: "seconds", found: "a value of type \(reply.kind)")
        }
        let back = min(Int(time.components.seconds), StreamRead.longestTime)
        let rest = Int(time.components.attoseconds / 1_000_000_000_000_000)
        let begin = max((seconds - back) * 1000 - rest, 0)
        step = .entries
        return .send([["XRANGE", StreamRead.key, String(begin), "+", "COUNT", "1"]])
    }

    private mutating func receive(_ entries: [StreamEntry]) -> Progress {
        switch request.kind {
        case .start:
            if let first = entries.first { return done(next: .from(first.position)) }
            step = .information([])
            return .send([StreamRead.information])
        case .backwards(let position, let count):
            let messages = Array(entries.reversed())
            let next = messages.first.map { Cursor.from($0.position) }
            return done(
                messages, next: next ?? .from(position ?? .origin),
                isEnd: entries.count < min(count, pageSize))
        case .forwards(let page):
            let isProved =
                entries.first?.position == page.cursor.position
                // An empty channel has had no message that could be missing.
                || (page.cursor.position == .origin && entries.isEmpty)
            if isProved { return kept(entries, page) }
            step = .information(entries)
            return .send([StreamRead.information])
        }
    }

    private mutating func receiveWindow(
        _ entries: [StreamEntry], left: Int, _ first: Position?
    ) -> Progress {
        guard let oldest = entries.last else {
            if let first { return done(next: .from(first)) }
            step = .information([])
            return .send([StreamRead.information])
        }
        let left = left - entries.count
        guard left > 0 else { return done(next: .from(oldest.position)) }
        step = .window(left: left, first: oldest.position)
        return .send([window(before: oldest.position, left)])
    }

    private mutating func decide(
        _ entries: [StreamEntry], _ information: StreamInformation?
    ) -> Progress {
        guard case .forwards(let page) = request.kind else {
            return done(next: .after(information?.lastGenerated ?? .origin))
        }
        let verdict = StreamVerdict(of: page.cursor, information)
        switch verdict {
        case .kept: return kept(entries, page)
        case .trimmed(let next): return done(.trimmed(lost: nil), next: next)
        case .reset(let last):
            // What comes behind the lost end has greater ids, unless the server's clock is behind.
            let otherwise = entries.first.map { Cursor.from($0.position) } ?? .after(last)
            let earlier = page.earlier.reversed().filter { $0 != page.cursor.position }
            guard !earlier.isEmpty else { return done(.reset, next: otherwise) }
            step = .lookUp(earlier, due: earlier.count, found: nil, otherwise: otherwise)
            return .send(
                earlier.map { ["XRANGE", StreamRead.key, $0.streamID, $0.streamID, "COUNT", "1"] })
        }
    }

    // MARK: Pages

    private func kept(_ entries: [StreamEntry], _ page: PageRequest) -> Progress {
        let isAnchor = !page.cursor.isInclusive && entries.first?.position == page.cursor.position
        let messages = Array(entries.dropFirst(isAnchor ? 1 : 0).prefix(min(page.count, pageSize)))
        return done(
            messages, next: messages.last.map { .after($0.position) } ?? page.cursor,
            isEnd: entries.count < count(of: page))
    }

    private func done(
        _ verdict: HistoryPage.Verdict = .kept, _ messages: [StreamEntry] = [], next: Cursor,
        isEnd: Bool = false
    ) -> Progress {
        var collector = MessageCollector()
        for message in messages {
            let bytes = message.payload.span
            _ = collector.add(
                bytes, 0..<bytes.count, position: message.position, topic: request.channel.id,
                origin: origin)
        }
        let page = HistoryPage(
            ticket: request.ticket, verdict: verdict, messages: collector.finish(), next: next,
            isEnd: isEnd)
        return .done(page, bytes: messages.reduce(0) { $0 + $1.payload.count })
    }

    private func done(_ messages: [StreamEntry], next: Cursor, isEnd: Bool) -> Progress {
        done(.kept, messages, next: next, isEnd: isEnd)
    }
}

/// The state of a cursor whose entry is not where it was, from what XINFO says of the stream.
enum StreamVerdict: Hashable, Sendable {
    case kept
    case trimmed(next: Cursor)
    /// The stream is another, or has lost its end; `last` is the last id that it has given.
    case reset(last: Position)

    /// - Parameter information: nil where there is no such stream.
    init(of cursor: Cursor, _ information: StreamInformation?) {
        let place = cursor.position
        guard let information else {
            self = place == .origin ? .kept : .trimmed(next: .after(.origin))
            return
        }
        let last = information.lastGenerated
        if place == .origin {
            // Redis before 7.0 does not tell how many there were.
            let isWhole = information.added.map { $0 <= information.length } ?? true
            self = isWhole ? .kept : .trimmed(next: information.oldest)
        } else if last < place {
            self = .reset(last: last)
        } else if last == place || information.lastDeleted == place {
            // Nothing came behind it; or it was deleted by itself, which takes nothing else away.
            self = .kept
        } else if information.first.map({ $0 > place }) ?? true {
            self = .trimmed(next: information.oldest)
        } else {
            self = .reset(last: last)
        }
    }
}

extension StreamInformation {
    /// Where to begin to read all that is kept.
    fileprivate var oldest: Cursor {
        first.map { .from($0) } ?? .after(lastGenerated)
    }
}
