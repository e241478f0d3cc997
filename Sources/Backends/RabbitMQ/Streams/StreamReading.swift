import BroadcasterWire

/// One reading of a stream by a consumer: from where to consume, and what the entries mean. A pure value.
///
/// A page is read with the entry next to the cursor: where it comes first, nothing is missing.
struct StreamReading: Sendable {
    enum Progress: Sendable {
        case goOn
        case done(StreamPage)
        /// Is to be consumed anew, from `offset` on.
        case again
    }

    let request: HistoryRequest
    /// The newest entry of the stream when the reading began: behind it is nothing to wait for.
    private let end: Position
    private var page: StreamPage
    /// The newest messages of a reading that goes backwards.
    private var window = Queue<StreamEntry>()
    private var windowBytes = 0
    /// Messages have fallen out of the window.
    private var isCut = false
    private var first: UInt64?
    private var start: UInt64 = 0
    private var width: UInt64 = 0

    /// The entries of a window beyond those that are asked for: marks, and what the server writes for itself.
    private static let slack = 64
    private static let longestPage = 1000
    private static let widest = 1 << 40

    init(_ request: HistoryRequest, end: Position) {
        self.request = request
        self.end = end
        page = StreamPage(request)
        if let count = wanted {
            let count = min(count, StreamReading.widest)
            width = UInt64(count + count / 4 + StreamReading.slack)
            start = bound > width ? bound - width : 0
        }
    }

    private func offset(_ position: Position) -> UInt64 { position.pair?.major ?? 0 }

    /// The page that takes no reading.
    var atOnce: StreamPage? {
        switch request.kind {
        case .start(.new), .start(.after), .start(.last(0)): .empty(request, next: .after(end))
        // The stream is shorter: it was made anew. The server would wait for what comes there.
        case .forwards(let page) where offset(page.cursor.position) > offset(end):
            .empty(request, .reset, next: .after(.origin))
        default: nil
        }
    }

    /// The consumer's `x-stream-offset`.
    var offset: AMQPValue {
        switch request.kind {
        case .start(.since(let time)):
            // Whole seconds; the server begins with the chunk, of some milliseconds, that holds the moment.
            .text("\(max(Int(clamping: time.components.seconds), 0) + 1)s")
        case .start(.all): .text("first")
        case .forwards(let page):
            page.cursor.position.pair.map { .int64(Int64(clamping: $0.major)) } ?? .text("first")
        default: .int64(Int64(clamping: start))
        }
    }

    /// The entries to ask for before the first acknowledgement.
    var prefetch: UInt16 {
        switch request.kind {
        case .start(.all), .start(.since): 1
        case .forwards(let page): UInt16(clamping: min(page.count, StreamReading.longestPage) + 1)
        default: UInt16(clamping: min(width, UInt64(StreamReading.longestPage)))
        }
    }

    /// The messages that a reading backwards is to find; nil for another.
    private var wanted: Int? {
        switch request.kind {
        case .start(.last(let count)): count
        case .backwards(_, let count): min(count, StreamReading.longestPage)
        default: nil
        }
    }

    /// The offset that a window ends before.
    private var bound: UInt64 {
        let behind = offset(end) + 1
        if case .backwards(let position?, _) = request.kind, let place = position.pair {
            return min(place.major, behind)
        }
        return behind
    }

    // MARK: Entries

    mutating func take(_ entry: StreamEntry) -> Progress {
        let isFirst = first == nil
        if isFirst { first = entry.offset }
        switch request.kind {
        case .start(.all), .start(.since):
            return .done(.empty(request, next: .from(entry.position)))
        case .forwards(let page): return take(entry, isFirst: isFirst, page)
        case .start, .backwards: return takeInWindow(entry)
        }
    }

    private mutating func take(
        _ entry: StreamEntry, isFirst: Bool, _ request: PageRequest
    ) -> Progress {
        if isFirst {
            if let refusal = verdict(entry, request) { return .done(refusal) }
            let isAnchor = entry.position == request.cursor.position
            if isAnchor, !request.cursor.isInclusive { return isEnd(entry, request) }
        }
        if let last = request.end, last >= request.cursor.position, entry.position > last {
            return .done(page.finish(isEnd: true, otherwise: request.cursor))
        }
        if entry.mark == nil, !page.add(entry, limit: min(request.count, StreamReading.longestPage))
        {
            return .done(page.finish(isEnd: false))
        }
        return isEnd(entry, request)
    }

    private func isEnd(_ entry: StreamEntry, _ request: PageRequest) -> Progress {
        entry.position >= end
            ? .done(page.finish(isEnd: true, next: .after(entry.position))) : .goOn
    }

    /// The answer if the first entry is not the one next to the cursor.
    private func verdict(_ entry: StreamEntry, _ page: PageRequest) -> StreamPage? {
        guard let place = page.cursor.position.pair else {
            return entry.offset == 0
                ? nil : .empty(request, .trimmed(lost: nil), next: .from(entry.position))
        }
        if entry.position == page.cursor.position { return nil }
        // At the place something else stands: the stream was made anew.
        if entry.offset <= place.major { return .empty(request, .reset, next: .after(.origin)) }
        return .empty(request, .trimmed(lost: nil), next: .from(entry.position))
    }

    private mutating func takeInWindow(_ entry: StreamEntry) -> Progress {
        let wanted = wanted ?? 0
        if entry.offset < bound, entry.mark == nil { keep(entry, wanted) }
        guard entry.offset + 1 >= bound || entry.position >= end else { return .goOn }
        // The oldest that is kept came first: there is nothing before it.
        let isWhole = start == 0 || (first ?? 0) > start
        guard window.count < wanted, !isWhole, !isCut else {
            return .done(finishWindow(isWhole: isWhole))
        }
        width = min(width, UInt64(StreamReading.widest)) * 4
        start = bound > width ? bound - width : 0
        (first, window, windowBytes) = (nil, Queue(), 0)
        return .again
    }

    private mutating func keep(_ entry: StreamEntry, _ wanted: Int) {
        var entry = entry
        // Of a start only the place counts.
        if case .start = request.kind { entry.dropPayload() }
        window.append(entry)
        windowBytes += entry.payload?.count ?? 0
        let mostBytes = StreamPage.mostBytes
        while window.count > wanted || windowBytes > mostBytes && window.count > 1,
            let oldest = window.removeFirst()
        {
            isCut = true
            windowBytes -= oldest.payload?.count ?? 0
        }
    }

    private func finishWindow(isWhole: Bool) -> StreamPage {
        let oldest = window.first?.position
        guard case .backwards(let position, _) = request.kind else {
            return .empty(request, next: oldest.map { .from($0) } ?? .after(end))
        }
        var answer = page
        for index in 0..<window.count {
            if let entry = window[index] { _ = answer.add(entry, limit: .max) }
        }
        return answer.finish(
            isEnd: isWhole && !isCut, next: .from(oldest ?? position ?? .origin))
    }
}
