import BroadcasterWire

/// A topic that somebody subscribes to, watched at its end: all its partitions, always, since publishers choose among
/// them by chance.
///
/// A fetch that waits at the broker is the bell. What it brings is kept until the core reads, and nothing more is
/// fetched until then.
struct TopicWatch: Sendable {
    /// The end of one partition.
    struct Partition: Sendable {
        enum Step: Hashable, Sendable {
            /// Its end is to be asked for.
            case ask
            /// The high watermark of the next fetch is its end: Tansu's answer to the question lies within a batch.
            case settle
            case watch
            /// Something has come, or was lost, and the core is to read.
            case rung
        }

        var step: Step
        /// The next offset.
        var place: Int64 = 0
        /// The epoch of the last message before the place; −1: not known.
        var epoch: Int32 = -1
        var isAsked = false
        var retry = Retry()
        /// What has come from `place` on.
        var records: FetchedRecords?
        /// The end as an answer to somebody else has told it: there is something before it, though nothing has come yet.
        var heardOf: Int64 = 0

        /// False as long as its end is not known.
        var isSettled: Bool { step == .watch || step == .rung }

        /// Found when the topic was already watched: what came to it since then is not to be missed.
        static let found = Partition(step: .watch)
    }

    let topic: Topic
    let origin: Origin
    var partitions: [Partition] = []
    /// `subscribe` has been answered.
    private(set) var isConfirmed = false
    /// The core has been told that no answer is due now.
    private var isPostponed = false

    init(_ topic: Topic) {
        self.topic = topic
        origin = Origin(topic.name)
    }

    var name: String { origin.channel }

    /// The end of the topic, as far as it is known.
    var place: PlaceVector {
        var place = PlaceVector(partitions.map(\.place))
        for index in partitions.indices { place.setEpoch(partitions[index].epoch, of: index) }
        return place
    }

    /// Takes in the number of partitions. True if the topic is another one: it has fewer.
    mutating func follow(partitions count: Int) {
        if count == 0 { return }
        let found = isConfirmed || !partitions.isEmpty
        while partitions.count < count {
            partitions.append(found ? .found : Partition(step: .ask))
        }
        if partitions.count > count { partitions.removeLast(partitions.count - count) }
    }

    /// Answers `subscribe`, once every partition's end is known.
    mutating func confirmIfKnown(into output: inout SessionOutput) {
        guard !isConfirmed, !partitions.isEmpty,
            partitions.allSatisfy(\.isSettled)
        else { return }
        isConfirmed = true
        output.append(.subscribed(topic: topic.id, resumedAt: place.position))
    }

    /// Says once that there is nobody to ask.
    mutating func postpone(into output: inout SessionOutput) {
        guard !isConfirmed, !isPostponed else { return }
        isPostponed = true
        output.append(.postponed(topics: [topic.id]))
    }

    // MARK: Answers

    /// Takes the answer to the question for a partition's end.
    mutating func ends(_ index: Int, at offset: Int64, epoch: Int32) {
        guard partitions[index].step == .ask else { return }
        partitions[index].isAsked = false
        partitions[index].retry.succeeded()
        partitions[index].place = max(offset, 0)
        partitions[index].epoch = epoch
        partitions[index].step = .settle
    }

    /// Takes what a fetch has brought.
    mutating func fetched(
        _ partition: FetchMessage.Partition, in bytes: [UInt8], into output: inout SessionOutput
    ) throws(ProtocolError) {
        let index = Int(partition.index)
        partitions[index].retry.succeeded()
        if partitions[index].step == .settle {
            partitions[index].place = max(partitions[index].place, partition.highWatermark)
            partitions[index].step = .watch
            confirmIfKnown(into: &output)
        }
        let place = partitions[index].place
        if partition.highWatermark < place, partition.highWatermark >= 0 {
            // The log has become shorter: the page that the core reads finds out.
            return ring(index, into: &output)
        }
        let records = try FetchedRecords(bytes, partition, from: place)
        if records.lastOffset < place { return }
        partitions[index].records = records
        ring(index, into: &output)
    }

    mutating func ring(_ index: Int, into output: inout SessionOutput) {
        partitions[index].step = .rung
        output.append(.rang(topic: topic.id))
    }

    /// Notes a place that somebody else was told. Who begins there waits for the watch to come there.
    mutating func heardOf(_ place: PlaceVector, isReset: Bool) {
        for index in partitions.indices {
            let known = isReset ? 0 : partitions[index].heardOf
            partitions[index].heardOf = max(known, place[index])
        }
    }

    /// Keeps what the core has not read yet of what has come.
    mutating func keep(_ records: FetchedRecords, of index: Int, from place: PlaceVector) {
        partitions[index].place = place[index]
        partitions[index].epoch = place.epoch(of: index)
        partitions[index].records = records
        partitions[index].step = .rung
    }

    /// The core has read all that had come: the watch goes on from there.
    mutating func watchOn(_ index: Int, from place: PlaceVector) {
        partitions[index].place = place[index]
        partitions[index].epoch = place.epoch(of: index)
        partitions[index].records = nil
        partitions[index].step = .watch
    }
}
