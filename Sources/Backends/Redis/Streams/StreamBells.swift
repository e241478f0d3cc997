import BroadcasterWire

/// The lane that waits for new entries: a blocked XREAD over the streams that have subscribers. A pure value.
///
/// An answer promises nothing: it only rings the bell of a stream, which is read by pages. A stream whose bell has rung is
/// left out until it has been read to its end, so that one wake-up serves all that came with it.
struct StreamBells: Sendable {
    private struct Bell: Sendable {
        let topic: Int
        /// The entry behind which the bell rings.
        var position: Position
        var isMuted = false
        /// In a cluster, where a command takes keys of one slot only; else 0.
        var slot = 0
    }

    /// By the stream's key.
    private var bells: [[UInt8]: Bell] = [:]
    private var keys: [Int: [UInt8]] = [:]
    /// Answers to XREAD that are due.
    private var due = 0
    var isWaiting: Bool { due > 0 }
    /// XREAD waits on the server for what comes; else it looks at what is there.
    private(set) var isBlocked = false
    private let isOfCluster: Bool
    /// Streams have been added, or are to be listened to again, since XREAD was sent.
    private(set) var isStale = false
    /// The first moment for the next XREAD.
    private(set) var nextCall: Instant?
    /// The server lets nobody be woken: XREAD waits for a short time, or is not allowed at all.
    var cannotWake = false
    private let block: Duration

    /// The time that XREAD takes the server for each stream, each time it is woken (Redis 7.0: 1 µs); the pause after it keeps
    /// this below a tenth of its time.
    private static let pausePerStream: Duration = .microseconds(10)
    /// A pause that is not worth a timer.
    private static let shortPause: Duration = .milliseconds(1)
    /// The longest wait where XREAD cannot be woken for a new stream.
    private static let shortBlock: Duration = .milliseconds(250)

    /// The time between two looks at the streams of several slots, for which no XREAD can wait, and the part of it for each.
    private static let lookInterval: Duration = .milliseconds(20)
    private static let pausePerSlot: Duration = .microseconds(30)

    /// - Parameters:
    ///   - block: how long XREAD waits; its empty answer is the lane's sign of life.
    ///   - isOfCluster: each stream has a slot.
    init(block: Duration, isOfCluster: Bool = false) {
        self.block = block
        self.isOfCluster = isOfCluster
    }

    var isEmpty: Bool { bells.isEmpty }
    var topics: [Topic] { bells.map { Topic(id: $0.value.topic, name: .channel(bytes: $0.key)) } }

    // MARK: Streams

    mutating func add(_ topic: Topic, at position: Position, now: Instant) {
        let key = topic.name.bytes
        bells[key] = Bell(
            topic: topic.id, position: position, slot: isOfCluster ? HashSlot.of(key) : 0)
        keys[topic.id] = key
        isStale = true
        if nextCall == nil { nextCall = now }
    }

    mutating func remove(_ topic: Int) {
        if let key = keys.removeValue(forKey: topic) { bells[key] = nil }
    }

    /// A stream was read up to `position`, where there was nothing more.
    mutating func read(_ topic: Int, upTo position: Position, now: Instant) {
        guard let key = keys[topic], bells[key] != nil else { return }
        bells[key]?.position = position
        guard bells[key]?.isMuted == true else { return }
        bells[key]?.isMuted = false
        isStale = true
        if nextCall == nil { nextCall = now }
    }

    /// Rings if the stream's newest entry is another than the one that was read last.
    mutating func noted(_ position: Position, of topic: Int) -> Bool {
        guard let key = keys[topic], let bell = bells[key], !bell.isMuted else { return false }
        if bell.position == position { return false }
        bells[key]?.isMuted = true
        return true
    }

    // MARK: XREAD

    /// The words of each XREAD that is to be sent, if it is time: one that waits, or one that looks for each of several slots.
    mutating func call(at now: Instant) -> [[[UInt8]]] {
        guard !isWaiting, let moment = nextCall, now >= moment else { return [] }
        nextCall = nil
        isStale = false
        let listening = bells.filter { !$0.value.isMuted }
        let groups = Dictionary(grouping: listening) { $0.value.slot }
        due = groups.count
        isBlocked = due == 1
        return groups.values.map { group in
            var words = head.map { Array($0.utf8) }
            words.reserveCapacity(words.count + 2 * group.count)
            for bell in group { words.append(bell.key) }
            for bell in group { words.append(Array(bell.value.position.streamID.utf8)) }
            return words
        }
    }

    private var head: [String] {
        guard isBlocked else { return ["XREAD", "COUNT", "1", "STREAMS"] }
        let time = cannotWake ? min(block, StreamBells.shortBlock) : block
        return [
            "XREAD", "COUNT", "1", "BLOCK", String(Int(time / .milliseconds(1))), "STREAMS",
        ]
    }

    /// Takes XREAD's answer. The result is the topics whose bells have rung.
    mutating func rang(_ reply: RESPValue, at now: Instant) throws(ProtocolError) -> [Int] {
        due -= 1
        // With all bells muted, the next call comes with the first that is listened to again.
        let pause = isBlocked ? StreamBells.pausePerStream * bells.count : lookPause
        nextCall = pause > StreamBells.shortPause ? now + pause : now
        var rung: [Int] = []
        for key in try StreamBells.keys(in: reply) {
            guard let topic = bells[key]?.topic else { continue }
            bells[key]?.isMuted = true
            rung.append(topic)
        }
        return rung
    }

    private var lookPause: Duration {
        let slots = isOfCluster ? Set(bells.values.map(\.slot)).count : 1
        return max(StreamBells.lookInterval, StreamBells.pausePerSlot * slots)
    }

    /// XREAD is refused, for whatever stream: it is called again after that is known.
    mutating func refused(callAgainAt moment: Instant) {
        due -= 1
        nextCall = moment
    }

    private static func keys(in reply: RESPValue) throws(ProtocolError) -> [[UInt8]] {
        switch reply {
        case .null: return []
        case .map(let items):
            return stride(from: 0, to: items.count, by: 2).compactMap { items[$0].plain.text }
        case .array(let streams):
            return streams.compactMap { stream in
                if case .array(let parts) = stream.plain { parts.first?.plain.text } else { nil }
            }
        default:
            throw ProtocolError(
                reading: "Redis XREAD", expected: "streams", found: "a value of type \(reply.kind)")
        }
    }
}
