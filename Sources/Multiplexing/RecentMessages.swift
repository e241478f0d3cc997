import BroadcasterWire

/// The end of a channel's history as the tail reader has read it: positions, and the last pages, as long as somebody may
/// need them. A pure value.
struct RecentMessages: Sendable {
    private struct Page: Sendable {
        let start: Cursor
        let end: Cursor
        let block: MessageBlock
    }

    /// The positions that were read last, the newest last.
    private(set) var positions: [Position] = []
    private var pages: [Page] = []
    /// Pages that somebody behind has read a moment ago, each up to a time: others may come for the same.
    private var kept: [(page: Page, until: Instant)] = []

    /// Enough to find where a server that took over has gone another way: it lags by moments.
    private static let positionLimit = 64
    /// Enough for what comes while a subscriber reads its last page.
    private static let pageLimit = 8
    /// A page of large messages is not worth its memory.
    private static let keptSize = 512 << 10

    /// - Parameter keeping: whether a subscriber is behind, and may go on with this page.
    mutating func append(
        _ block: MessageBlock, from start: Cursor, to end: Cursor, keeping: Bool
    ) {
        note(block)
        guard keeping else { return pages.removeAll() }
        if pages.count == RecentMessages.pageLimit { pages.removeFirst() }
        pages.append(Page(start: start, end: end, block: block))
    }

    /// Notes what was read, by whomever.
    mutating func note(_ block: MessageBlock) {
        let skipped = block.count - RecentMessages.positionLimit
        let last = positions.last
        var number = 0
        block.forEachPosition { position in
            if number >= skipped, last.map({ $0 < position }) ?? true { positions.append(position) }
            number += 1
        }
        positions.removeFirst(max(positions.count - RecentMessages.positionLimit, 0))
    }

    mutating func forgetMessages() {
        pages.removeAll()
        forgetKept()
    }

    /// Another server may have another history.
    mutating func forgetKept() {
        kept.removeAll()
    }

    // MARK: Pages of those behind

    /// Keeps a page that was just read. Returns false where it is too large.
    mutating func keep(
        _ block: MessageBlock, from start: Cursor, to end: Cursor, until moment: Instant
    ) -> Bool {
        guard block.storage.count <= RecentMessages.keptSize else { return false }
        if kept.count == RecentMessages.pageLimit { kept.removeFirst() }
        kept.append((Page(start: start, end: end, block: block), moment))
        return true
    }

    mutating func expire(at now: Instant) {
        kept.removeAll { $0.until <= now }
    }

    /// What was read behind `cursor` a moment ago, and its end. The message at the cursor must be in the page: nothing else
    /// proves that nothing is missing.
    func kept(behind cursor: Cursor) -> (MessageBlock, end: Cursor)? {
        for (page, _) in kept where page.start <= cursor && cursor < page.end {
            if page.start == cursor { return (page.block, page.end) }
            var isThere = false
            page.block.forEachPosition { isThere = isThere || $0 == cursor.position }
            if isThere, let rest = page.block.rest(behind: cursor) { return (rest, page.end) }
        }
        return nil
    }

    /// Takes back what the server no longer has.
    mutating func reset(to cursor: Cursor) {
        forgetMessages()
        positions.removeAll { $0 > cursor.position }
    }

    func positions(upTo position: Position) -> [Position] {
        Array(positions.prefix { $0 <= position })
    }

    /// The rest of the page in which `cursor` stands, and its end; nil where it is in none.
    func messages(behind cursor: Cursor) -> (MessageBlock, end: Cursor)? {
        for page in pages where page.start <= cursor && cursor < page.end {
            if page.start == cursor { return (page.block, page.end) }
            if let rest = page.block.rest(behind: cursor) { return (rest, page.end) }
        }
        return nil
    }
}
