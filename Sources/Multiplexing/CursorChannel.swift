import BroadcasterWire

/// The subscribers of one channel whose history the server keeps, each at its cursor. A pure value.
///
/// Messages come from pages, read in the order of their positions; what the server pushes says no more than that there
/// may be something to read. A subscriber is *live* where its cursor is the tail: one page is read for all of them. The
/// others are *behind*: each reads pages at its own pace, as its mailbox has room, up to the tail, and is live there. So there
/// is no moment in which a replay is joined with something else.
struct CursorChannel: Sendable {
    /// The place of a subscriber in the channel.
    enum Place: Hashable, Sendable {
        /// Its first cursor is not known yet, and may have been asked for.
        case starting(HistoryStart)
        /// Reads pages, up to the tail. Leads to: handed.
        case behind(Cursor)
        /// Its mailbox is being given messages. Leads to: live, behind, full, ahead.
        case handed
        /// Behind, and its mailbox has no room. Leads to: behind.
        case full(Cursor)
        /// Its own read went beyond the tail: it waits for the tail. Leads to: live, behind.
        case ahead(Cursor)
        case live
    }

    struct Reader: Sendable {
        let mailbox: Mailbox
        fileprivate(set) var place: Place
    }

    /// The use of a request's answer.
    enum Purpose: Sendable {
        /// From this cursor, which is the tail unless the server has named another one meanwhile.
        case tail(Cursor)
        /// For these subscribers.
        case start([Int])
        case page([Int], PageRequest)
    }

    let topic: Topic
    /// The place up to which the tail reader has read; nil before the server has named it.
    private(set) var tail: Cursor?
    private(set) var readers: [Int: Reader] = [:]
    /// Subscribers whose start is to be asked for.
    private var unasked: [HistoryStart: [Int]] = [:]
    /// Subscribers that are to read a page.
    private var waiting: [Cursor: [Int]] = [:]
    /// There may be messages behind the tail.
    private var isRinging = false
    /// Somebody has found the history to be another than the tail reader may believe.
    private var isSuspect = false
    private var isTailReading = false
    /// The last answer had nothing behind the tail. The server rings when there is something, also for those ahead.
    private var isTailIdle = false
    private var liveCount = 0
    private var aheadCount = 0
    private var recent = RecentMessages()

    init(_ topic: Topic) {
        self.topic = topic
    }

    var isEmpty: Bool { readers.isEmpty }

    mutating func apply(_ body: (inout CursorChannel) -> Void) {
        body(&self)
    }

    // MARK: Subscribers

    mutating func add(_ mailbox: Mailbox, as id: Int, _ start: HistoryStart) {
        readers[id] = Reader(mailbox: mailbox, place: .starting(start))
        if case .after(let position) = start {
            // No need to ask; whether the message is there is found by the first page.
            move(id, to: .behind(.after(position)))
        } else {
            unasked[start, default: []].append(id)
        }
    }

    mutating func remove(_ id: Int) {
        guard readers[id] != nil else { return }
        move(id, to: .handed)
        readers[id] = nil
    }

    /// Takes a subscriber out that may come again: nothing is asked for it twice.
    mutating func leave(_ id: Int) {
        for start in unasked.keys { unasked[start]?.removeAll { $0 == id } }
        for cursor in waiting.keys { waiting[cursor]?.removeAll { $0 == id } }
        remove(id)
    }

    /// The mailbox of a subscriber has room again.
    mutating func roomMade(_ id: Int) {
        if case .full(let cursor)? = readers[id]?.place { move(id, to: .behind(cursor)) }
    }

    private mutating func move(_ id: Int, to place: Place) {
        switch readers[id]?.place {
        case .live: liveCount -= 1
        case .ahead: aheadCount -= 1
        default: break
        }
        readers[id]?.place = place
        switch place {
        case .live: liveCount += 1
        case .ahead:
            aheadCount += 1
            isTailIdle = false
        case .behind(let cursor): waiting[cursor, default: []].append(id)
        case .starting, .handed, .full: break
        }
    }

    // MARK: Requests

    /// The next request to the server.
    mutating func takeRequest() -> (HistoryRequest.Kind, Purpose)? {
        // Those that begin with what is new begin where the server first delivers the channel.
        if let (start, ids) = unasked.first(where: { tail != nil || $0.key != .new }) {
            unasked[start] = nil
            let staying = ids.filter { readers[$0]?.place == .starting(start) }
            return staying.isEmpty ? takeRequest() : (.start(start), .start(staying))
        }
        guard let tail else { return nil }
        if wantsTail {
            (isRinging, isSuspect, isTailReading) = (false, false, true)
            let page = PageRequest(
                cursor: tail, count: CursorChannel.longestPage, earlier: recent.positions)
            return (.forwards(page), .tail(tail))
        }
        while let (cursor, ids) = waiting.first {
            waiting[cursor] = nil
            let reading = ids.filter { readers[$0]?.place == .behind(cursor) }
            let room = reading.compactMap { readers[$0]?.mailbox.room }.max()
            guard let room else { continue }
            let page = PageRequest(
                cursor: cursor, end: tail.position,
                count: min(max(room, 1), CursorChannel.longestPage),
                earlier: recent.positions(upTo: cursor.position))
            return (.forwards(page), .page(reading, page))
        }
        return nil
    }

    /// Gives those who are to read a page what others have read a moment ago.
    mutating func takeHandOuts(at now: Instant) -> [HandOut] {
        recent.expire(at: now)
        guard tail != nil else { return [] }
        var handOuts: [HandOut] = []
        for (cursor, ids) in waiting {
            guard let (block, end) = recent.kept(behind: cursor) else { continue }
            waiting[cursor] = nil
            for id in ids where readers[id]?.place == .behind(cursor) {
                if let given = hand(.page(block), to: id, from: cursor, to: end) {
                    handOuts.append(given)
                }
            }
        }
        return handOuts
    }

    mutating func expirePages(at now: Instant) {
        recent.expire(at: now)
    }

    /// Messages. A page of 1,000 small ones takes Redis 0.3 ms, in which it serves nobody else.
    static let longestPage = 1000

    /// Without anybody live the tail stays where it is: those that are behind read up to there.
    private var wantsTail: Bool {
        !isTailReading
            && (isSuspect || (aheadCount > 0 && !isTailIdle) || (isRinging && liveCount > 0))
    }

    var hasRequest: Bool {
        guard tail != nil else { return unasked.contains { $0.key != .new } }
        return !unasked.isEmpty || !waiting.isEmpty || wantsTail
    }

    // MARK: The server

    mutating func rang() {
        (isRinging, isTailIdle) = (true, false)
    }

    /// The server delivers the channel, whose newest message is at `position`. The result is the subscribers that begin
    /// there.
    mutating func confirmed(at position: Position) -> [Int] {
        let old = tail
        let new = Cursor.after(position)
        tail = new
        if let old, old != new {
            // What came meanwhile is read by each at its own pace.
            recent.forgetMessages()
            (isTailReading, isTailIdle) = (false, false)
            for (id, reader) in readers where reader.place == .live { move(id, to: .behind(old)) }
        }
        let beginning = (unasked.removeValue(forKey: .new) ?? []).filter { id in
            readers[id]?.place == .starting(.new)
        }
        for id in beginning { move(id, to: .live) }
        return beginning
    }

    /// The connection is gone, and with it the answers under way.
    mutating func disconnected() {
        (isTailReading, isTailIdle) = (false, false)
        isRinging = true
        (unasked, waiting) = ([:], [:])
        recent.forgetKept()
        for (id, reader) in readers {
            switch reader.place {
            case .starting(let start): unasked[start, default: []].append(id)
            case .behind(let cursor), .ahead(let cursor): move(id, to: .behind(cursor))
            case .handed, .full, .live: break
            }
        }
    }

    /// Takes the answer for `ids` to the question for their start. The result is those that begin there.
    mutating func started(_ ids: [Int], at cursor: Cursor) -> (begun: [Int], handOuts: [HandOut]) {
        let begun = ids.filter { id in
            if case .starting? = readers[id]?.place { true } else { false }
        }
        return (begun, begun.compactMap { settle($0, at: cursor) })
    }

    /// Takes the answer to a question for the tail, from a cursor. One that the tail has left meanwhile is of no use: what
    /// it brings is read by those that are behind.
    mutating func tailRead(_ page: HistoryPage, from: Cursor) -> [HandOut] {
        guard isTailReading, from == tail else {
            // The server may count what it brought as read.
            isRinging = true
            return []
        }
        isTailReading = false
        tail = page.next
        if !page.isEnd { isRinging = true }
        let live = readers.filter { $0.value.place == .live }.keys
        guard page.verdict == .kept else {
            recent.reset(to: page.next)
            isRinging = true
            for (id, reader) in readers {
                if case .ahead(let cursor) = reader.place { move(id, to: .behind(cursor)) }
            }
            return live.compactMap { hand(.gap(page.verdict), to: $0, from: from, to: page.next) }
        }
        guard let block = page.messages else {
            let handOuts = settleThoseAhead()
            isTailIdle = page.isEnd && page.next == from
            return handOuts
        }
        recent.append(block, from: from, to: page.next, keeping: readers.count > liveCount)
        return live.compactMap { hand(.live(block), to: $0, from: from, to: page.next) }
            + settleThoseAhead()
    }

    /// The tail has moved, perhaps without a message: where a server counts more than these.
    private mutating func settleThoseAhead() -> [HandOut] {
        guard aheadCount > 0 else { return [] }
        return readers.compactMap { id, reader in
            guard case .ahead(let cursor) = reader.place else { return nil }
            return settle(id, at: cursor)
        }
    }

    /// Takes the answer to a request for a page of subscribers that are behind.
    ///
    /// - Parameter moment: how long the page may be handed to others too.
    mutating func pageRead(
        _ page: HistoryPage, _ request: PageRequest, for ids: [Int], keptUntil moment: Instant?
    ) -> (handOuts: [HandOut], isKept: Bool) {
        var next = page.next
        if page.verdict != .kept {
            isSuspect = true
        } else if page.isEnd, let end = request.end, request.cursor.position <= end {
            // Nothing is missing between the page's last message and the end that was asked for.
            next = max(next, .after(end))
        }
        var isKept = false
        if let block = page.messages {
            recent.note(block)
            if let moment {
                isKept = recent.keep(block, from: request.cursor, to: next, until: moment)
            }
        }
        let handOuts = ids.compactMap { id -> HandOut? in
            guard readers[id]?.place == .behind(request.cursor) else { return nil }
            guard page.verdict == .kept else {
                return hand(.gap(page.verdict), to: id, from: request.cursor, to: next)
            }
            guard let block = page.messages else { return settle(id, at: next) }
            return hand(.page(block), to: id, from: request.cursor, to: next)
        }
        return (handOuts, isKept)
    }

    /// The server does not read for these subscribers now.
    mutating func postponed(_ purpose: Purpose) {
        switch purpose {
        case .tail(let from):
            if from == tail { (isTailReading, isRinging) = (false, true) }
        case .start(let ids):
            for id in ids {
                if case .starting(let start)? = readers[id]?.place {
                    unasked[start, default: []].append(id)
                }
            }
        case .page(let ids, let request):
            for id in ids where readers[id]?.place == .behind(request.cursor) {
                move(id, to: .behind(request.cursor))
            }
        }
    }

    // MARK: Places

    private mutating func hand(
        _ content: HandOut.Content, to id: Int, from: Cursor, to: Cursor
    ) -> HandOut? {
        guard let mailbox = readers[id]?.mailbox else { return nil }
        move(id, to: .handed)
        return HandOut(
            subscriber: id, topic: topic.id, mailbox: mailbox, content: content, from: from, to: to)
    }

    /// Notes how much of it a mailbox has taken. The result is what follows at once.
    mutating func handed(_ handOut: HandOut, _ taken: Mailbox.Taken) -> HandOut? {
        guard readers[handOut.subscriber]?.place == .handed else { return nil }
        switch taken {
        case .all: return settle(handOut.subscriber, at: handOut.to)
        case .some(let last):
            let cursor = last.map { Cursor.after($0) } ?? handOut.from
            // It may have made room since: then nobody tells us any more.
            let hasRoom = !handOut.mailbox.isStarved
            move(handOut.subscriber, to: hasRoom ? .behind(cursor) : .full(cursor))
        }
        return nil
    }

    /// Finds the place of a subscriber whose cursor is known to be good.
    private mutating func settle(_ id: Int, at cursor: Cursor) -> HandOut? {
        guard let tail, cursor != tail else {
            move(id, to: tail == nil ? .behind(cursor) : .live)
            return nil
        }
        if cursor > tail {
            move(id, to: .ahead(cursor))
        } else if let (block, end) = recent.messages(behind: cursor) {
            return hand(.page(block), to: id, from: cursor, to: end)
        } else {
            move(id, to: .behind(cursor))
        }
        return nil
    }
}
