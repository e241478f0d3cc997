import BroadcasterWire

/// The end of one channel's stream, which a consumer follows: who waits to know it, and the newest messages. A pure
/// value.
struct StreamTail: Sendable {
    /// One who must know where the end is.
    enum Waiter: Hashable, Sendable {
        case subscription
        case reading(ticket: UInt64)
    }

    private enum Phase: Sendable {
        /// The stream is declared, and its consumer asked for.
        case opening
        case live
    }

    let channel: String
    /// The topic that is subscribed to.
    var topic: Topic?
    /// The readings under way.
    var readings = 0
    private var phase = Phase.opening
    private var waiters: [(mark: UInt64, waiter: Waiter)] = []
    /// The newest entry; nil as long as no mark has come.
    private(set) var newest: Position?
    /// The newest messages, without marks.
    private var recent = Queue<StreamEntry>()
    private var recentBytes = 0
    /// All messages behind this entry are in `recent`.
    private var base: Position?

    private static let longest = 1000
    private static let mostBytes = 1 << 20

    init(_ channel: String) {
        self.channel = channel
    }

    var isLive: Bool { if case .live = phase { true } else { false } }
    var isIdle: Bool { topic == nil && readings == 0 && waiters.isEmpty }
    var marks: [UInt64] { isLive ? waiters.map(\.mark) : [] }

    // MARK: The end

    mutating func wait(for mark: UInt64, _ waiter: Waiter) {
        waiters.append((mark, waiter))
    }

    mutating func opened() {
        phase = .live
    }

    mutating func takeWaiters() -> [Waiter] {
        defer { waiters = [] }
        return waiters.map(\.waiter)
    }

    mutating func leave() {
        topic = nil
        waiters.removeAll { $0.waiter == .subscription }
    }

    /// Takes an entry.
    ///
    /// - Parameter mark: the number of the mark, if it is one of this session's.
    /// - Returns: those who know the end now.
    mutating func take(_ entry: StreamEntry, mark: UInt64?) -> [Waiter] {
        newest = entry.position
        if entry.mark == nil { keep(entry) }
        guard let mark else { return [] }
        if base == nil { base = entry.position }
        let told = waiters.filter { $0.mark <= mark }.map(\.waiter)
        waiters.removeAll { $0.mark <= mark }
        return told
    }

    private mutating func keep(_ entry: StreamEntry) {
        // What came before the first mark is read where somebody wants it.
        guard base != nil else { return }
        recent.append(entry)
        recentBytes += entry.payload?.count ?? 0
        while recent.count > StreamTail.longest || recentBytes > StreamTail.mostBytes,
            let oldest = recent.removeFirst()
        {
            recentBytes -= oldest.payload?.count ?? 0
            base = oldest.position
        }
    }

    // MARK: Pages

    /// The page, if the newest messages are all of it; nil where the stream must be read.
    func page(_ request: HistoryRequest, _ page: PageRequest) -> StreamPage? {
        let cursor = page.cursor.position
        guard let base, let place = cursor.pair, let first = base.pair, let newest,
            cursor <= newest,
            page.cursor.isInclusive ? place.major > first.major : place.major >= first.major
        else { return nil }
        var answer = StreamPage(request)
        var isProved = place.major != first.major || cursor == base
        for index in 0..<recent.count {
            guard let entry = recent[index], entry.offset >= place.major else { continue }
            if entry.offset == place.major {
                isProved = entry.position == cursor
                if !page.cursor.isInclusive { continue }
            }
            if let end = page.end, end >= cursor, entry.position > end { break }
            guard answer.add(entry, limit: page.count) else {
                return isProved ? answer.finish(isEnd: false) : nil
            }
        }
        guard isProved else { return nil }
        // Marks are places too, at which others may stand.
        let last = page.end.map { $0 >= cursor && $0 < newest ? $0 : newest } ?? newest
        return answer.finish(isEnd: true, next: .after(last))
    }
}
