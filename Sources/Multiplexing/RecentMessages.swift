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

    /// Enough to find where a server that took over has gone another way: it lags by moments.
    private static let positionLimit = 64
    /// Enough for what comes while a subscriber reads its last page.
    private static let pageLimit = 8

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
    }

    /// Takes back what the server no longer has.
    mutating func reset(to cursor: Cursor) {
        pages.removeAll()
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
