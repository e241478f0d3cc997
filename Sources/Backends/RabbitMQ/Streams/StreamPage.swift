import BroadcasterWire

/// A page under construction.
struct StreamPage: Sendable {
    private let request: HistoryRequest
    private let origin: Origin
    private var collector = MessageCollector()
    private var count = 0
    private var bytes = 0
    private var last: Position?
    private(set) var result: HistoryPage?
    /// The messages that were too long to be received.
    private(set) var tooLong: [Int] = []

    /// Bytes of a page, beyond which it ends.
    static let mostBytes = 256 << 10

    var topic: Int { request.channel.id }

    init(_ request: HistoryRequest) {
        self.request = request
        origin = Origin(request.channel.name)
    }

    /// Adds a message. False if there is no room for it.
    mutating func add(_ entry: StreamEntry, limit: Int) -> Bool {
        guard count < limit, bytes < StreamPage.mostBytes else { return false }
        last = entry.position
        guard let payload = entry.payload else {
            tooLong.append(entry.size)
            return true
        }
        count += 1
        bytes += payload.count
        _ = collector.add(
            payload.span, 0..<payload.count, position: entry.position, topic: request.channel.id,
            origin: origin)
        return true
    }

    /// - Parameter otherwise: where to go on if there was nothing to read.
    func finish(isEnd: Bool, otherwise: Cursor = .after(.origin)) -> StreamPage {
        finish(isEnd: isEnd, next: last.map { .after($0) } ?? otherwise)
    }

    func finish(isEnd: Bool, next: Cursor) -> StreamPage {
        var page = self
        page.result = HistoryPage(
            ticket: request.ticket, messages: page.collector.finish(), next: next, isEnd: isEnd)
        return page
    }

    /// A page without messages.
    static func empty(
        _ request: HistoryRequest, _ verdict: HistoryPage.Verdict = .kept, next: Cursor
    ) -> StreamPage {
        var page = StreamPage(request)
        page.result = HistoryPage(
            ticket: request.ticket, verdict: verdict, next: next, isEnd: false)
        return page
    }
}
