import BroadcasterWire

/// A request of the core to read from a topic's history, and what is still to be asked of brokers for it.
///
/// First the bounds of partitions, where they are needed; then, to find the newest messages, their times and sizes; then
/// the messages themselves. What lies at the end and has been fetched already comes from the topic's watch.
struct ReadJob: Sendable {
    /// One partition's share.
    struct Part: Sendable {
        enum Need: Hashable, Sendable {
            case nothing
            case ask(ListOffsetsMessage.Question)
            /// The leader is to say whether it has what an earlier one had.
            case check
            case fetch
        }

        var need = Need.nothing
        var isAsked = false
        var retry = Retry()
        var earliest: Int64?
        var latest: Int64?
        /// The next offset to fetch.
        var from: Int64 = 0
        /// The next offset to fetch of a page that one answer does not fill; nil: `from`.
        var next: Int64?
        /// The offset of the first message that is not read.
        var end: Int64?
        /// What was fetched, one answer behind the other.
        var records: [FetchedRecords] = []
        /// The checksum of a batch was wrong once.
        var isSuspect = false
        /// Messages at the end, from `first` on: their offsets, times and sizes.
        var newest: [(offset: Int64, time: Int64, size: Int)] = []
        var first: Int64 = 0
        /// The log does not hold the place: it begins behind it, or ends before it.
        var isOutside = false
        var doubts = 0
        /// The log has gone another way from here on, since an epoch that is over.
        var parting: (offset: Int64, epoch: Int32)?
        /// The page has not all of the records.
        var isPartlyTaken = false

        /// True if a broker is to be asked for it now.
        var isToBeAsked: Bool { need != .nothing && need != .check && !isAsked }
    }

    enum Goal: Sendable {
        /// The place of a start.
        case place(HistoryStart)
        /// The newest messages before a place.
        case newest(before: PlaceVector?, count: Int)
        /// Messages from a place on.
        case page(from: PlaceVector, to: PlaceVector?, count: Int)
    }

    let request: HistoryRequest
    var goal: Goal
    var parts: [Part] = []
    let options: ReadOptions
    /// Milliseconds since 1970.
    private let time: Int64
    /// A page that is read backwards: its end, and whether there is something before it.
    var backwards: (isFirst: Bool, place: PlaceVector)?

    /// Messages that are looked at to find the newest, at most.
    static let mostNewest = 100_000

    var topic: String { request.channel.name.text }

    init(_ request: HistoryRequest, _ options: ReadOptions, time: Int64) {
        self.request = request
        self.options = options
        self.time = time
        switch request.kind {
        case .start(.last(let count)): goal = .newest(before: nil, count: count)
        case .start(let start): goal = .place(start)
        case .forwards(let page):
            var end = page.end.flatMap { PlaceVector($0) }
            let place = PlaceVector(page.cursor.position) ?? PlaceVector([])
            // A place has as many positions as there are messages that may have led there: which is the higher one says
            // nothing.
            if let last = page.end, last < page.cursor.position, end?.isPlace(of: place) != true {
                end = nil
            }
            goal = .page(
                from: page.cursor.isInclusive ? place.before : place, to: end, count: page.count)
        case .backwards(let position, let count):
            goal = .newest(
                before: position.flatMap { PlaceVector($0) }?.before, count: count)
        }
    }

    // MARK: Beginning

    /// Begins, now that the number of partitions is known.
    mutating func begin(partitions count: Int, watch: TopicWatch?) {
        parts = Array(repeating: Part(), count: count)
        for index in parts.indices { begin(index, watch) }
    }

    private mutating func begin(_ index: Int, _ watch: TopicWatch?) {
        switch goal {
        case .place(.since(let age)):
            parts[index].need = .ask(.time(time - age.wholeMilliseconds))
        case .place(.all): parts[index].need = .ask(.earliest)
        case .place: parts[index].need = .ask(.latest)
        case .newest: parts[index].need = .ask(.earliest)
        case .page(let place, let end, _):
            parts[index].from = place[index]
            parts[index].end = end.map { $0[index] }
            let epoch = place.epoch(of: index)
            if let known = watch?.partitions[index], known.place == place[index],
                epoch < 0 || epoch == known.epoch,
                known.step == .watch && known.heardOf <= known.place
                    && !isAsked(beyond: place, index)
                    || known.step == .rung && known.records != nil
            {
                if isWanted(index) { parts[index].records = [known.records].compactMap { $0 } }
            } else if epoch >= 0 {
                parts[index].need = .check
            } else if isWanted(index) {
                parts[index].need = .fetch
            }
        }
    }

    /// True if the core knows of something behind the place: that the watch has heard of nothing proves nothing then.
    private func isAsked(beyond place: PlaceVector, _ index: Int) -> Bool {
        parts[index].end.map { $0 > place[index] } ?? false
    }

    /// False where the page ends before the partition's place.
    private func isWanted(_ index: Int) -> Bool {
        parts[index].end.map { $0 > parts[index].from } ?? true
    }

    /// A fetch has come to nothing: the next leader is to be asked first whether it has what the place stands behind.
    mutating func fetchAgain(_ index: Int) {
        guard case .page(let place, _, _) = goal, parts[index].need == .fetch,
            place.epoch(of: index) >= 0
        else { return }
        parts[index].records = []
        parts[index].next = nil
        parts[index].need = .check
    }

    /// Lets the leaders say whether they have what the place stands behind.
    mutating func check(_ cluster: ClusterMap, _ epochs: inout EpochTable) {
        guard case .page(let place, _, _) = goal else { return }
        for index in parts.indices where parts[index].need == .check {
            let key = PartitionKey(topic: topic, index: Int32(index))
            guard let leader = cluster.leader(of: topic, key.index) else { continue }
            let epoch = place.epoch(of: index)
            switch epochs.verdict(on: key, place: place[index], epoch: epoch, leader) {
            case .holds: parts[index].need = isWanted(index) ? .fetch : .nothing
            case .open: break
            case .parted(let offset?, let epoch):
                parts[index].parting = (offset, epoch)
                parts[index].isOutside = true
                parts[index].need = .nothing
            case .parted(nil, _):
                // It has nothing of that time: what it has is all new.
                parts[index].parting = (-1, -1)
                parts[index].doubts = 1
                outside(index)
            }
        }
    }

    var isDone: Bool { !parts.isEmpty && parts.allSatisfy { $0.need == .nothing } }

    // MARK: Answers

    mutating func answered(_ index: Int, offset: Int64, timestamp: Int64, at now: Instant) {
        guard case .ask(let question) = parts[index].need else { return }
        parts[index].retry.succeeded()
        parts[index].need = .nothing
        switch question {
        case .earliest:
            parts[index].earliest = max(offset, 0)
            if case .place = goal { return }
            parts[index].need = .ask(.latest)
        case .latest:
            parts[index].latest = max(offset, parts[index].earliest ?? 0)
            switch goal {
            case .newest(let place, let count): look(index, place, count)
            case .page(let place, _, _): bounded(index, isOrigin: place.next.isEmpty, at: now)
            case .place:
                // Tansu's answer may lie within the last batch: the high watermark of a fetch is the end.
                parts[index].from = parts[index].latest ?? 0
                parts[index].need = .fetch
            }
        case .time:
            // Tansu says offset 0 where nothing is newer.
            if offset >= 0, timestamp >= 0 {
                parts[index].latest = offset
            } else {
                parts[index].need = .ask(.latest)
            }
        }
    }

    /// Decides what a place is that a fetch did not find: a leader that has just taken over may lag for a moment.
    private mutating func bounded(_ index: Int, isOrigin: Bool, at now: Instant) {
        let part = parts[index]
        guard let earliest = part.earliest, let latest = part.latest else { return }
        if part.parting != nil {
            return
        } else if isOrigin {
            parts[index].from = max(part.from, earliest)
        } else if part.from < earliest || part.from > latest && part.doubts > 0 {
            return
        } else {
            parts[index].doubts += 1
            parts[index].retry.wait(at: now, atLeast: .milliseconds(200))
        }
        parts[index].isOutside = false
        parts[index].need = .fetch
    }

    /// Begins to look for the newest messages of a partition: the last so many offsets, or twice as many where those have
    /// holes.
    private mutating func look(_ index: Int, _ place: PlaceVector?, _ count: Int) {
        let earliest = parts[index].earliest ?? 0
        let latest = parts[index].latest ?? 0
        let end = min(place.map { $0[index] } ?? latest, latest)
        parts[index].end = end
        parts[index].first = max(earliest, end - Int64(min(count, ReadJob.mostNewest)))
        parts[index].from = parts[index].first
        if parts[index].from < end { parts[index].need = .fetch }
    }

    /// Takes what a fetch has brought.
    mutating func fetched(
        _ partition: FetchMessage.Partition, in bytes: [UInt8]
    ) throws(ProtocolError) {
        let index = Int(partition.index)
        parts[index].retry.succeeded()
        let place = parts[index].next ?? parts[index].from
        if case .page = goal, partition.highWatermark < place, partition.highWatermark >= 0 {
            return outside(index)
        }
        var records = try FetchedRecords(bytes, partition, from: place)
        switch goal {
        case .page(_, _, let count):
            parts[index].records.append(records)
            parts[index].next = max(place, records.lastOffset + 1)
            if isFull(parts[index], count) || parts[index].next == place {
                parts[index].need = .nothing
            }
            return
        case .place:
            parts[index].latest = max(place, partition.highWatermark)
            parts[index].need = .nothing
            return
        case .newest(let limit, let count):
            // Tansu's answer for the end may lie within the last batch: the high watermark of a fetch is the end.
            let end = min(partition.highWatermark, limit.map { $0[index] } ?? .max)
            if end > parts[index].end ?? 0 {
                parts[index].end = end
                parts[index].first = max(
                    parts[index].earliest ?? 0, end - Int64(min(count, ReadJob.mostNewest)),
                    parts[index].newest.first?.offset ?? 0)
            }
        }
        let contents = records.read(
            from: place, before: parts[index].end, count: ReadJob.mostNewest,
            passesCorrupt: parts[index].isSuspect, options)
        parts[index].isSuspect = contents.isCorrupt
        parts[index].newest += contents.entries.map { ($0.offset, $0.time, $0.value.count) }
        parts[index].from = contents.next
        let isStuck = contents.next == place && !contents.isCorrupt
        if contents.next >= (parts[index].end ?? 0) || isStuck { parts[index].need = .nothing }
    }

    /// True if what was fetched of a partition is enough for a page, or all there is. A page that is read backwards has to
    /// have all up to its end.
    private func isFull(_ part: Part, _ count: Int) -> Bool {
        guard let next = part.next, let last = part.records.last else { return false }
        if next >= last.highWatermark || next >= part.end ?? .max { return true }
        return backwards == nil && next - part.from >= count
    }

    /// The messages of a partition for a page.
    mutating func contents(of index: Int, count: Int) -> FetchedRecords.Contents? {
        var all = FetchedRecords.Contents(next: parts[index].from)
        all.isWhole = true
        for number in parts[index].records.indices where all.isWhole {
            let contents = parts[index].records[number].read(
                from: all.next, before: parts[index].end, count: count - all.entries.count,
                passesCorrupt: parts[index].isSuspect, options)
            if contents.isCorrupt { return nil }
            all.append(contents)
        }
        return all
    }

    /// The log does not hold the place: its bounds tell how.
    mutating func outside(_ index: Int) {
        parts[index].isOutside = true
        parts[index].need = .ask(.earliest)
    }
}

extension ReadJob {
    /// True for what the core's own reader asks for at the end of a topic that is subscribed to.
    var isAtTail: Bool {
        if case .forwards(let page) = request.kind {
            page.end == nil && request.channel.id >= 0
        } else {
            false
        }
    }
}
