/// Messages that came together: one object for all their subscribers and all messages taken from it.
///
/// A server that is busy hands over hundreds of messages in a read. Their bytes lie in one piece of memory,
/// each as its length (four bytes, little-endian), its position where it has one, and its content, in runs.
public final class MessageBlock: Sendable {
    /// Consecutive messages from one origin to one topic: one look-up and one lock for all of them.
    struct Run: Sendable {
        let topic: Int
        let origin: Origin
        var extent: Extent
    }

    package struct Extent: Sendable {
        package internal(set) var count = 0
        /// The offset of the first message's header.
        package let start: Int
        package internal(set) var end: Int
        /// Bytes of the position that stands before each message; 0 where they have none.
        package let positionSize: Int

        init(start: Int, positionSize: Int = 0, count: Int = 0, end: Int? = nil) {
            self.start = start
            self.positionSize = positionSize
            self.count = count
            self.end = end ?? start
        }

        /// The bytes of the messages themselves.
        package var payloadSize: Int {
            end - start - count * (MessageBlock.headerSize + positionSize)
        }
    }

    /// The bytes that each message takes beside its content.
    package static let headerSize = 4

    package let storage: [UInt8]
    /// The time at which the last of the messages was read from the connection.
    public let receivedAt: Instant
    /// Stored beside the others, so that a single message needs no array of runs.
    private let first: Run
    private let others: [Run]

    init(storage: [UInt8], receivedAt: Instant, first: Run, others: [Run] = []) {
        self.storage = storage
        self.receivedAt = receivedAt
        self.first = first
        self.others = others
    }

    /// A block of one message.
    public init(_ payload: Payload, from origin: Origin, at moment: Instant) {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(UInt32(truncatingIfNeeded: payload.byteCount))
        payload.append(to: &bytes)
        storage = bytes
        receivedAt = moment
        first = Run(topic: 0, origin: origin, extent: Extent(start: 0, count: 1, end: bytes.count))
        others = []
    }

    /// A block of one message, in the memory that it was read into.
    ///
    /// - Parameter range: the message's place in `memory`, with at least `headerSize` bytes before it that have been read.
    init(
        keeping memory: consuming [UInt8], _ range: Range<Int>, topic: Int, origin: Origin,
        at moment: Instant
    ) {
        let start = range.lowerBound - MessageBlock.headerSize
        for place in 0..<MessageBlock.headerSize {
            memory[start + place] = UInt8(truncatingIfNeeded: range.count >> (8 * place))
        }
        storage = memory
        receivedAt = moment
        first = Run(
            topic: topic, origin: origin,
            extent: Extent(start: start, count: 1, end: range.upperBound))
        others = []
    }

    package var runCount: Int { others.count + 1 }

    package func topic(ofRun number: Int) -> Int {
        number == 0 ? first.topic : others[number - 1].topic
    }

    package func origin(ofRun number: Int) -> Origin {
        number == 0 ? first.origin : others[number - 1].origin
    }

    package func extent(ofRun number: Int) -> Extent {
        number == 0 ? first.extent : others[number - 1].extent
    }

    /// The number of messages.
    public var count: Int { others.reduce(first.extent.count) { $0 + $1.extent.count } }

    /// The range of the message whose header is at `offset`, behind its position of `positionSize` bytes.
    package func message(at offset: Int, positionSize: Int = 0) -> Range<Int> {
        let length =
            Int(storage[offset]) | Int(storage[offset + 1]) << 8
            | Int(storage[offset + 2]) << 16 | Int(storage[offset + 3]) << 24
        let start = offset + MessageBlock.headerSize + positionSize
        return start..<start + length
    }

    /// The position of the message of run `number` that begins at `start`; nil where the run has none.
    package func position(ofRun number: Int, messageAt start: Int) -> Position? {
        let size = extent(ofRun: number).positionSize
        return size == 0 ? nil : Position(storage, start - size..<start)
    }

    /// Calls `body` with the position of each message of the first run.
    package func forEachPosition(_ body: (Position) -> Void) {
        let extent = extent(ofRun: 0)
        guard extent.positionSize > 0 else { return }
        var offset = extent.start
        for _ in 0..<extent.count {
            let range = message(at: offset, positionSize: extent.positionSize)
            if let position = position(ofRun: 0, messageAt: range.lowerBound) { body(position) }
            offset = range.upperBound
        }
    }

    /// The messages of the first run that come behind `cursor`, in a block of their own; nil where there are none.
    package func rest(behind cursor: Cursor) -> MessageBlock? {
        let whole = extent(ofRun: 0)
        var (offset, left) = (whole.start, whole.count)
        while left > 0 {
            let range = message(at: offset, positionSize: whole.positionSize)
            if let position = position(ofRun: 0, messageAt: range.lowerBound),
                cursor < .after(position)
            {
                break
            }
            (offset, left) = (range.upperBound, left - 1)
        }
        guard left > 0 else { return nil }
        let rest = Run(
            topic: first.topic, origin: first.origin,
            extent: Extent(
                start: 0, positionSize: whole.positionSize, count: left, end: whole.end - offset))
        return MessageBlock(
            storage: Array(storage[offset..<whole.end]), receivedAt: receivedAt, first: rest)
    }

    /// The first `count` messages of a run, which end at `offset`, in a block of their own.
    package func copy(ofRun number: Int, first count: Int, endingAt offset: Int) -> MessageBlock {
        let whole = extent(ofRun: number)
        let start = whole.start
        let copied = Run(
            topic: topic(ofRun: number), origin: origin(ofRun: number),
            extent: Extent(
                start: 0, positionSize: whole.positionSize, count: count, end: offset - start))
        return MessageBlock(
            storage: Array(storage[start..<offset]), receivedAt: receivedAt, first: copied)
    }
}

/// Collects messages into blocks.
///
/// It collects messages of one topic as long as they follow each other. Those of several topics share a block of at
/// most `sharedLimit` bytes: a slow subscriber keeps in memory whatever came with its own messages.
public struct MessageCollector: Sendable {
    private var storage: [UInt8] = []
    private var first: MessageBlock.Run?
    private var others: [MessageBlock.Run] = []
    /// True if more was collected just before, so that more is likely to come.
    private var isBusy = false
    /// The time at which the messages are read.
    public var time = Instant.zero
    /// The bytes that the next block is to have room for.
    private var upcoming = 0

    package static let sharedLimit = 4096

    /// A collector without a message.
    public init() {}

    /// Makes room for `count` messages of one topic, which have `size` bytes and are added next.
    mutating func makeRoom(for count: Int, size: Int) {
        if first == nil { upcoming = size + count * MessageBlock.headerSize }
    }

    /// Adds a message. Returns the block, if any, that ends before it.
    public mutating func add(
        _ bytes: Span<UInt8>, _ range: Range<Int>, topic: Int, origin: Origin
    ) -> MessageBlock? {
        let finished = makeRoom(range.count, topic, origin)
        storage.appendLittleEndian(UInt32(truncatingIfNeeded: range.count))
        storage.append(bytes, range)
        extendRun()
        return finished
    }

    /// The same, for a message that stands at `position` of its stream.
    public mutating func add(
        _ bytes: Span<UInt8>, _ range: Range<Int>, position: Position, topic: Int, origin: Origin
    ) -> MessageBlock? {
        let finished = makeRoom(range.count, topic, origin, positionSize: position.count)
        storage.appendLittleEndian(UInt32(truncatingIfNeeded: range.count))
        storage.append(contentsOf: position.bytes)
        storage.append(bytes, range)
        extendRun()
        return finished
    }

    /// The same, for a message that is not in a buffer.
    public mutating func add(
        _ payload: Payload, topic: Int, origin: Origin
    ) -> MessageBlock? {
        let size = payload.byteCount
        let finished = makeRoom(size, topic, origin)
        storage.appendLittleEndian(UInt32(truncatingIfNeeded: size))
        payload.append(to: &storage)
        extendRun()
        return finished
    }

    /// The same, for a position that is there as its bytes: as many for each message of a page.
    public mutating func add(
        _ bytes: Span<UInt8>, _ range: Range<Int>, positionBytes: [UInt8], topic: Int,
        origin: Origin
    ) -> MessageBlock? {
        let finished = makeRoom(range.count, topic, origin, positionSize: positionBytes.count)
        storage.appendLittleEndian(UInt32(truncatingIfNeeded: range.count))
        storage.append(positionBytes.span, 0..<positionBytes.count)
        storage.append(bytes, range)
        extendRun()
        return finished
    }

    /// The same, for a message that is not in a buffer and stands at `position` of its stream.
    public mutating func add(
        _ payload: Payload, position: Position, topic: Int, origin: Origin
    ) -> MessageBlock? {
        let size = payload.byteCount
        let finished = makeRoom(size, topic, origin, positionSize: position.count)
        storage.appendLittleEndian(UInt32(truncatingIfNeeded: size))
        storage.append(contentsOf: position.bytes)
        payload.append(to: &storage)
        extendRun()
        return finished
    }

    /// Ends and returns the block collected so far.
    public mutating func finish() -> MessageBlock? {
        isBusy = false
        return takeBlock()
    }

    /// Opens a run for a message of `size` bytes, unless it belongs to the one that is open.
    private mutating func makeRoom(
        _ size: Int, _ topic: Int, _ origin: Origin, positionSize: Int = 0
    ) -> MessageBlock? {
        var finished: MessageBlock?
        if first != nil {
            let isSame = belongsToLast(topic, origin, positionSize)
            if isSame, others.isEmpty { return nil }
            if storage.count + MessageBlock.headerSize + positionSize + size
                > MessageCollector.sharedLimit
            {
                finished = takeBlock()
                isBusy = true
            } else if isSame {
                return nil
            }
        }
        let run = MessageBlock.Run(
            topic: topic, origin: origin,
            extent: MessageBlock.Extent(start: storage.count, positionSize: positionSize))
        if first == nil {
            // A message that comes alone gets no byte more than it needs.
            let needed = MessageBlock.headerSize + positionSize + size
            let room = isBusy ? max(needed, MessageCollector.sharedLimit) : needed
            storage.reserveCapacity(max(room, upcoming))
            upcoming = 0
            first = run
        } else {
            others.append(run)
        }
        return finished
    }

    private func belongsToLast(_ topic: Int, _ origin: Origin, _ positionSize: Int) -> Bool {
        // Field by field: a copy of the run would retain its origin, for every message.
        if others.isEmpty {
            return first?.topic == topic && first?.origin === origin
                && first?.extent.positionSize == positionSize
        }
        let last = others.count - 1
        return others[last].topic == topic && others[last].origin === origin
            && others[last].extent.positionSize == positionSize
    }

    private mutating func extendRun() {
        if others.isEmpty {
            first?.extent.count += 1
            first?.extent.end = storage.count
        } else {
            others[others.count - 1].extent.count += 1
            others[others.count - 1].extent.end = storage.count
        }
    }

    private mutating func takeBlock() -> MessageBlock? {
        guard let run = first else { return nil }
        let block = MessageBlock(
            storage: storage, receivedAt: time, first: run, others: others)
        storage = []
        first = nil
        others = []
        return block
    }
}
