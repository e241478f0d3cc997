import BroadcasterWire

/// The newest messages of every channel, within a number for each and bytes for all together. A pure value.
struct MemoryHistory: Sendable {
    private struct Ring {
        /// Tells this life of the channel from others: its positions would be taken for theirs.
        let epoch: UInt64
        var messages = Queue<(payload: Payload, at: Instant)>()
        /// The number of the first of `messages`, or of the next one; the first of all is 1.
        var first: UInt64 = 1

        /// The number of the newest message.
        var last: UInt64 { first + UInt64(messages.count) - 1 }

        func position(_ number: UInt64) -> Position {
            Position(epoch: epoch, number, 0)
        }

        func message(_ number: UInt64) -> (payload: Payload, at: Instant)? {
            number >= first && number <= last ? messages[Int(number - first)] : nil
        }
    }

    private var rings: [String: Ring] = [:]
    /// The messages of all channels in the order in which they came, for the bound on bytes. May name some that are gone.
    private var order = Queue<(channel: String, number: UInt64)>()
    private var kept = 0
    private var emptyRings = 0
    private var byteCount = 0
    private var lastEpoch: UInt64
    private let limits: MemoryBackend.HistoryLimits

    /// The bytes that a message takes beside its content and its channel's name, about.
    private static let overhead = 64
    /// The bytes after which a page ends.
    private static let pageBytes = 256 << 10

    /// - Parameter epoch: a number that no other history has had.
    init(_ limits: MemoryBackend.HistoryLimits, epoch: UInt64) {
        self.limits = limits
        lastEpoch = epoch
    }

    // MARK: Writing

    mutating func append(_ payload: Payload, to channel: String, at now: Instant) -> Position {
        if rings[channel] == nil {
            lastEpoch &+= 1
            rings[channel] = Ring(epoch: lastEpoch)
        }
        if rings[channel]?.messages.isEmpty == true, rings[channel]?.first != 1 { emptyRings -= 1 }
        rings[channel]?.messages.append((payload, now))
        let position = tail(of: channel)
        if let ring = rings[channel] { order.append((channel, ring.last)) }
        kept += 1
        byteCount += MemoryHistory.size(payload, channel)
        if let count = rings[channel]?.messages.count, count > limits.messages {
            dropFirst(of: channel)
        }
        // The newest message stays, however large.
        while byteCount > limits.bytes, kept > 1, let (channel, number) = order.removeFirst() {
            if rings[channel]?.first == number { dropFirst(of: channel) }
        }
        if order.count > 2 * kept + 1024 { forgetTheGone() }
        return position
    }

    private static func size(_ payload: Payload, _ channel: String) -> Int {
        payload.byteCount + channel.utf8.count + overhead
    }

    private mutating func dropFirst(of channel: String) {
        guard let (payload, _) = rings[channel]?.messages.removeFirst() else { return }
        rings[channel]?.first += 1
        kept -= 1
        byteCount -= MemoryHistory.size(payload, channel)
        // Its number is still known, so that whoever has read all misses nothing.
        guard rings[channel]?.messages.isEmpty == true else { return }
        emptyRings += 1
        if emptyRings > MemoryHistory.emptyRingLimit {
            rings = rings.filter { !$0.value.messages.isEmpty }
            emptyRings = 0
        }
    }

    /// Channels whose messages are all gone; beyond it they are forgotten, and begin another life with their next message.
    private static let emptyRingLimit = 10_000

    private mutating func forgetTheGone() {
        var left = Queue<(channel: String, number: UInt64)>()
        while let (channel, number) = order.removeFirst() {
            if let ring = rings[channel], number >= ring.first { left.append((channel, number)) }
        }
        order = left
    }

    // MARK: Reading

    /// The position of the newest message.
    func tail(of channel: String) -> Position {
        rings[channel].map { $0.position($0.last) } ?? .origin
    }

    func answer(_ request: HistoryRequest, _ origin: Origin, at now: Instant) -> HistoryPage {
        let ring = rings[request.channel.name.text]
        switch request.kind {
        case .start(let start):
            return HistoryPage(
                ticket: request.ticket, next: cursor(start, ring, at: now), isEnd: false)
        case .forwards(let page): return forwards(page, ring, request, origin)
        case .backwards(let position, let count):
            return backwards(position, count, ring, request, origin)
        }
    }

    private func cursor(_ start: HistoryStart, _ ring: Ring?, at now: Instant) -> Cursor {
        guard let ring else { return .after(.origin) }
        let number: UInt64
        switch start {
        case .after(let position): return .after(position)
        case .new: return .after(ring.position(ring.last))
        case _ where ring.messages.isEmpty: return .after(ring.position(ring.last))
        case .all: number = ring.first
        case .last(let count):
            if count <= 0 { return .after(ring.position(ring.last)) }
            number = ring.last - UInt64(min(count, ring.messages.count)) + 1
        case .since(let time):
            let young = (ring.first...ring.last).first { number in
                ring.message(number).map { $0.at >= now - time } ?? false
            }
            guard let young else { return .after(ring.position(ring.last)) }
            number = young
        }
        return .from(ring.position(number))
    }

    private func forwards(
        _ page: PageRequest, _ ring: Ring?, _ request: HistoryRequest, _ origin: Origin
    ) -> HistoryPage {
        let place = page.cursor.position
        func gap(_ verdict: HistoryPage.Verdict, _ next: Cursor) -> HistoryPage {
            HistoryPage(ticket: request.ticket, verdict: verdict, next: next, isEnd: false)
        }
        guard let ring else {
            if place == .origin {
                return HistoryPage(ticket: request.ticket, next: page.cursor, isEnd: true)
            }
            return gap(.reset, .after(.origin))
        }
        var number: UInt64 = 1
        if let (epoch, major, _) = place.triple {
            guard epoch == ring.epoch, major <= ring.last else {
                return gap(.reset, .from(ring.position(ring.first)))
            }
            number = page.cursor.isInclusive ? major : major + 1
        } else if place != .origin {
            return gap(.reset, .from(ring.position(ring.first)))
        }
        if number < ring.first {
            return gap(.trimmed(lost: Int(ring.first - number)), .from(ring.position(ring.first)))
        }
        var last = ring.last
        if let end = page.end?.triple, end.epoch == ring.epoch, end.major >= number {
            last = min(last, end.major)
        }
        let (block, next) = read(ring, from: number, through: last, page.count, request, origin)
        return HistoryPage(
            ticket: request.ticket, messages: block,
            next: next > number ? .after(ring.position(next - 1)) : page.cursor,
            isEnd: next > last)
    }

    private func backwards(
        _ position: Position?, _ count: Int, _ ring: Ring?, _ request: HistoryRequest,
        _ origin: Origin
    ) -> HistoryPage {
        guard let ring else {
            return HistoryPage(ticket: request.ticket, next: .after(.origin), isEnd: true)
        }
        var end = ring.last + 1
        if let (epoch, major, _) = position?.triple {
            guard epoch == ring.epoch else {
                return HistoryPage(
                    ticket: request.ticket, verdict: .reset, next: .after(.origin), isEnd: true)
            }
            end = min(end, max(major, ring.first))
        } else if position == .origin {
            end = ring.first
        }
        var number = end
        var bytes = 0
        while number > ring.first, end - number < UInt64(max(count, 0)),
            let size = ring.message(number - 1)?.payload.byteCount,
            number == end || bytes + size <= MemoryHistory.pageBytes
        {
            number -= 1
            bytes += size
        }
        let block =
            number < end
            ? read(ring, from: number, through: end - 1, .max, request, origin).block : nil
        return HistoryPage(
            ticket: request.ticket, messages: block, next: .from(ring.position(number)),
            isEnd: number == ring.first)
    }

    /// Reads messages from `first` on. The result is their block, and the number of the message behind it.
    private func read(
        _ ring: Ring, from first: UInt64, through last: UInt64, _ count: Int,
        _ request: HistoryRequest, _ origin: Origin
    ) -> (block: MessageBlock?, next: UInt64) {
        var collector = MessageCollector()
        var (number, bytes, left) = (first, 0, count)
        while number <= last, left > 0, let (payload, _) = ring.message(number),
            number == first || bytes + payload.byteCount <= MemoryHistory.pageBytes
        {
            _ = collector.add(
                payload, position: ring.position(number), topic: request.channel.id, origin: origin)
            bytes += payload.byteCount
            (number, left) = (number + 1, left - 1)
        }
        return (collector.finish(), number)
    }
}
