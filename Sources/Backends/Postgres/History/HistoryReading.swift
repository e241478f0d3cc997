import BroadcasterWire

/// One reading from a channel's table: its statement, and what the rows mean. A pure value.
struct HistoryReading: Sendable {
    enum Progress: Sendable {
        /// Another statement, whose rows are the next to come.
        case run(String, [[UInt8]])
        case done(HistoryPage)
    }

    let request: HistoryRequest
    private let table: HistoryTable
    private let origin: Origin
    private var rows: [HistoryRow] = []
    /// The message to go on behind, of those that were read before; looked for after a reset.
    private var found: (number: Int, time: Int)?
    private var lookUp: (channel: HistoryRow.Channel, otherwise: Cursor)?

    init(_ request: HistoryRequest, _ table: HistoryTable) {
        self.request = request
        self.table = table
        origin = Origin(request.channel.name)
    }

    // MARK: The statement

    private static let largest = Int.max

    func statement() -> (String, [[UInt8]]) {
        let channel = request.channel.name.bytes
        switch request.kind {
        case .start(.since(let time)):
            return (table.since, [channel, BinaryValue.integer(Int(time.components.seconds))])
        case .start: return (table.state, [channel])
        case .backwards(let position, let count):
            let end = position.map { $0.number } ?? HistoryReading.largest
            return (
                table.backwards, [channel, BinaryValue.integer(end), BinaryValue.integer(count)]
            )
        case .forwards(let page):
            let first = page.cursor.position.number
            let end = page.end.map { $0.number } ?? HistoryReading.largest
            return (
                table.forwards,
                [
                    channel, BinaryValue.integer(first),
                    BinaryValue.integer(end < first ? HistoryReading.largest : end),
                    BinaryValue.integer(page.count + (page.cursor.isInclusive ? 0 : 1)),
                ]
            )
        }
    }

    // MARK: Rows

    mutating func receive(_ columns: [[UInt8]?]) throws(ProtocolError) {
        if lookUp == nil {
            rows.append(try HistoryRow(columns))
        } else if columns.count == 2, let number = try BinaryValue.number(columns[0]),
            let time = try BinaryValue.number(columns[1])
        {
            found = (number, time)
        }
    }

    /// The rows have all come.
    mutating func finish() -> Progress {
        if let (channel, otherwise) = lookUp {
            let next = found.map { Cursor.after(channel.position($0.number, $0.time)) } ?? otherwise
            return gap(.reset, next)
        }
        switch request.kind {
        case .start(let start): return begin(start)
        case .backwards(let position, _): return backwards(position)
        case .forwards(let page): return forwards(page)
        }
    }

    private func begin(_ start: HistoryStart) -> Progress {
        guard let channel = rows.first?.channel else { return gap(.kept, .after(.origin)) }
        switch start {
        case .new, .after: return gap(.kept, channel.tail)
        case .all: return gap(.kept, channel.start)
        case .last(let count):
            guard let oldest = channel.oldest, count > 0 else { return gap(.kept, channel.tail) }
            let first = max(oldest, channel.top - min(count, channel.top) + 1)
            return gap(.kept, .from(channel.position(first)))
        case .since:
            let first = rows.first?.message.map {
                Cursor.from(channel.position($0.number, $0.time))
            }
            return gap(.kept, first ?? channel.tail)
        }
    }

    private func backwards(_ position: Position?) -> Progress {
        guard let channel = rows.first?.channel else {
            return gap(.kept, .after(.origin), isEnd: true)
        }
        if let epoch = position?.triple?.epoch, epoch != channel.epoch {
            return gap(.reset, .after(.origin), isEnd: true)
        }
        let first = rows.first?.message?.number
        return page(
            rows, next: .from(channel.position(first ?? 0)),
            isEnd: first.map { $0 <= channel.oldest ?? $0 } ?? true)
    }

    private mutating func forwards(_ page: PageRequest) -> Progress {
        let place = page.cursor.position
        guard let channel = rows.first?.channel else {
            return place == .origin
                ? gap(.kept, page.cursor, isEnd: true) : gap(.reset, .after(.origin))
        }
        if let epoch = place.triple?.epoch, epoch != channel.epoch {
            return gap(.reset, channel.start)
        }
        switch HistoryVerdict(of: page.cursor, rows.first?.message, channel) {
        case .kept(let hasAnchor):
            let messages = Array(rows.dropFirst(hasAnchor ? 1 : 0).prefix(page.count))
            let last = messages.last?.message
            let next =
                last.map { Cursor.after(channel.position($0.number, $0.time)) } ?? page.cursor
            let end = min(page.end.map { $0.number } ?? channel.top, channel.top)
            return self.page(
                messages, next: next, isEnd: (last?.number ?? channel.top) >= end)
        case .trimmed(let lost): return gap(.trimmed(lost: lost), channel.start)
        case .reset:
            let next = rows.first { ($0.message?.number ?? 0) > place.number }?.message
            let otherwise =
                channel.top > place.number
                ? next.map { Cursor.from(channel.position($0.number, $0.time)) } ?? channel.tail
                : channel.tail
            let earlier = page.earlier.compactMap(\.triple).filter { $0.epoch == channel.epoch }
            guard !earlier.isEmpty else { return gap(.reset, otherwise) }
            lookUp = (channel, otherwise)
            return .run(
                table.newestOf,
                [
                    request.channel.name.bytes,
                    BinaryValue.array(
                        earlier.map { BinaryValue.integer(Int(clamping: $0.major)) },
                        type: BinaryValue.bigintType),
                    BinaryValue.array(
                        earlier.map { BinaryValue.integer(Int(clamping: $0.minor)) },
                        type: BinaryValue.bigintType),
                ])
        }
    }

    // MARK: Pages

    private func gap(
        _ verdict: HistoryPage.Verdict, _ next: Cursor, isEnd: Bool = false
    ) -> Progress {
        .done(HistoryPage(ticket: request.ticket, verdict: verdict, next: next, isEnd: isEnd))
    }

    private func page(_ rows: [HistoryRow], next: Cursor, isEnd: Bool) -> Progress {
        var collector = MessageCollector()
        for row in rows {
            guard let (number, time, payload) = row.message else { continue }
            _ = collector.add(
                payload.span, 0..<payload.count, position: row.channel.position(number, time),
                topic: request.channel.id, origin: origin)
        }
        return .done(
            HistoryPage(
                ticket: request.ticket, messages: collector.finish(), next: next, isEnd: isEnd))
    }
}

extension Position {
    /// The message's number in its channel; 0 before all.
    var number: Int { min(Int(clamping: triple?.major ?? 0), HistoryRow.largestNumber) }
}

/// The state of a cursor, from the first message that is at it or behind it.
enum HistoryVerdict: Hashable, Sendable {
    /// - Parameter hasAnchor: whether the first row is the message that the cursor stands behind.
    case kept(hasAnchor: Bool)
    case trimmed(lost: Int)
    case reset

    init(
        of cursor: Cursor, _ first: (number: Int, time: Int, payload: [UInt8])?,
        _ channel: HistoryRow.Channel
    ) {
        let place = cursor.position
        let (number, time) = (place.number, place.triple?.minor ?? 0)
        let next = cursor.isInclusive ? number : number + 1
        let oldest = channel.oldest ?? channel.top + 1
        if number > 0, let first, first.number == number {
            // Numbers are given again after a failover to a standby that lagged: then the times differ.
            let isSame = time == 0 || time == UInt64(max(first.time, 0))
            self = isSame ? .kept(hasAnchor: !cursor.isInclusive) : .reset
        } else if number > channel.top {
            self = .reset
        } else if oldest > next {
            self = .trimmed(lost: oldest - next)
        } else if oldest == next || number == channel.top {
            // Nothing is missing: the numbers have no holes.
            self = .kept(hasAnchor: false)
        } else {
            self = .reset
        }
    }
}
