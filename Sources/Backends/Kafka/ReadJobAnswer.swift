import BroadcasterWire

/// What a request to read comes to.
extension ReadJob {
    /// Begins the next step, once nothing is to be asked. False where the request is answered by `page`.
    mutating func goOn(watch: TopicWatch?) -> Bool {
        guard case .newest(_, let count) = goal else { return false }
        let found = parts.reduce(0) { $0 + $1.newest.count }
        if found < count, widen(count) { return true }
        let begin = newest(count)
        guard case .backwards = request.kind else {
            goal = .place(.all)
            for index in parts.indices { parts[index].earliest = begin[index] }
            return false
        }
        let isFirst = parts.indices.allSatisfy { begin[$0] <= parts[$0].earliest ?? 0 }
        let end = PlaceVector(parts.map { $0.end ?? 0 })
        backwards = (isFirst, begin)
        goal = .page(from: begin, to: end, count: count)
        self.begin(partitions: parts.count, watch: watch)
        return true
    }

    /// Looks at twice as many offsets of the partitions that have more. False where none has.
    private mutating func widen(_ count: Int) -> Bool {
        var isWider = false
        for index in parts.indices {
            guard let end = parts[index].end, let earliest = parts[index].earliest,
                parts[index].first > earliest, parts[index].first < end
            else { continue }
            let width = min((end - parts[index].first) * 2, Int64(ReadJob.mostNewest))
            guard end - width < parts[index].first else { continue }
            parts[index].first = max(earliest, end - width)
            parts[index].from = parts[index].first
            parts[index].newest = []
            parts[index].need = .fetch
            isWider = true
        }
        return isWider
    }

    /// The place before the newest messages, by time, so many, and within a page's bytes.
    private func newest(_ count: Int) -> PlaceVector {
        var place = PlaceVector(parts.map { $0.end ?? 0 })
        var left = parts.map(\.newest.count)
        let isPage = if case .backwards = request.kind { true } else { false }
        var size = 0
        for number in 0..<max(count, 0) {
            var best: Int?
            for index in parts.indices where left[index] > 0 {
                let time = parts[index].newest[left[index] - 1].time
                if best.map({ time > parts[$0].newest[left[$0] - 1].time }) ?? true {
                    best = index
                }
            }
            guard let index = best else { break }
            let entry = parts[index].newest[left[index] - 1]
            size += entry.size
            if isPage, number > 0, size > PageBuilder.longest { break }
            place[index] = entry.offset
            left[index] -= 1
        }
        // Before the first message of a partition lie only holes: so a page that has all begins at the beginning.
        for index in parts.indices where left[index] == 0 { place[index] = parts[index].first }
        return place
    }

    /// Answers the request.
    ///
    /// - Parameter losses: gets what cannot be read, in words.
    /// - Returns: the page, and the place behind it; nil where something is to be asked once more.
    mutating func page(
        _ origin: Origin, at now: Instant, losses: inout [String]
    ) -> (page: HistoryPage, place: PlaceVector)? {
        guard case .page(let begin, let end, let count) = goal else {
            let place = PlaceVector(parts.map { $0.latest ?? $0.earliest ?? 0 })
            let start = startPlace(place)
            return (answer(next: start.position, isEnd: false), start)
        }
        if let gap = gap(from: begin) { return gap }
        var start = begin
        for index in parts.indices { start[index] = parts[index].from }
        var builder = PageBuilder(from: start)
        var isEnd = true
        for index in parts.indices {
            guard let last = parts[index].records.last else { continue }
            guard let contents = contents(of: index, count: count) else {
                parts[index].isSuspect = true
                parts[index].need = .fetch
                parts[index].next = nil
                parts[index].records = []
                return nil
            }
            losses += contents.losses
            let isAllRead = contents.isWhole && contents.next >= last.highWatermark
            if !isAllRead, contents.next < parts[index].end ?? .max { isEnd = false }
            parts[index].isPartlyTaken = !contents.isWhole
            builder.add(contents, of: index)
        }
        let block = builder.build(
            topic: request.channel.id, origin: origin, count: count, at: now)
        for index in parts.indices where !builder.isTaken(index) {
            isEnd = false
            parts[index].isPartlyTaken = true
        }
        var place = builder.place
        if let backwards {
            return (
                HistoryPage(
                    ticket: request.ticket, messages: block,
                    next: .after(backwards.place.position), isEnd: backwards.isFirst), place
            )
        }
        // The same place has one position, however it was reached.
        if let end, end.isPlace(of: place) { place = end }
        if block == nil, place.isPlace(of: begin), case .forwards(let asked) = request.kind {
            return (
                HistoryPage(
                    ticket: request.ticket,
                    next: end == place ? .after(place.position) : asked.cursor, isEnd: isEnd),
                place
            )
        }
        return (
            HistoryPage(
                ticket: request.ticket, messages: block, next: .after(place.position),
                isEnd: isEnd), place
        )
    }

    private func startPlace(_ place: PlaceVector) -> PlaceVector {
        if case .place(.all) = goal {
            return PlaceVector(parts.map { $0.earliest ?? 0 })
        }
        return place
    }

    private func answer(
        _ verdict: HistoryPage.Verdict = .kept, next: Position, isEnd: Bool
    ) -> HistoryPage {
        HistoryPage(ticket: request.ticket, verdict: verdict, next: .after(next), isEnd: isEnd)
    }

    /// The answer where partitions do not hold the place any more; nil where all do.
    private func gap(from begin: PlaceVector) -> (page: HistoryPage, place: PlaceVector)? {
        var next = begin
        var lost: Int64 = 0
        var isReset = false
        for index in parts.indices where parts[index].isOutside {
            let earliest = parts[index].earliest ?? 0
            let latest = parts[index].latest ?? 0
            if let parting = parts[index].parting {
                isReset = true
                next[index] = parting.offset < 0 ? earliest : parting.offset
                next.setEpoch(parting.epoch, of: index)
            } else if begin[index] < earliest {
                lost += earliest - begin[index]
                next[index] = earliest
                next.setEpoch(-1, of: index)
            } else if begin[index] > latest {
                // It was made anew, or has lost its end: hearing some twice is better than passing over some.
                isReset = true
                next[index] = earliest
                next.setEpoch(-1, of: index)
            }
        }
        next.last = nil
        if isReset { return (answer(.reset, next: next.position, isEnd: false), next) }
        if lost == 0 { return nil }
        return (
            answer(.trimmed(lost: Int(clamping: lost)), next: next.position, isEnd: false), next
        )
    }
}
