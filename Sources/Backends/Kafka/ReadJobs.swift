import BroadcasterWire

/// The requests of the core to read from histories that are not answered yet.
struct ReadJobs: Sendable {
    private var options: ReadOptions
    /// True where brokers can be asked about the epochs of places.
    var tellsEpochs: Bool {
        get { options.tellsEpochs }
        set { options.tellsEpochs = newValue }
    }
    private var jobs: [UInt64: ReadJob] = [:]

    init(_ options: ReadOptions) {
        self.options = options
    }

    var isEmpty: Bool { jobs.isEmpty }
    /// The topics that are read.
    var topics: Set<String> { Set(jobs.values.map(\.topic)) }

    mutating func add(_ request: HistoryRequest, time: Int64) {
        jobs[request.ticket] = ReadJob(request, options, time: time)
    }

    // MARK: Steps

    /// Begins those whose topic is known, and answers those that have all that they need.
    mutating func proceed(
        _ cluster: ClusterMap, _ watches: inout WatchSet, _ epochs: inout EpochTable,
        into output: inout SessionOutput
    ) {
        for ticket in jobs.keys.sorted() {
            guard let job = jobs[ticket] else { continue }
            let count = cluster.partitionCount(of: job.topic)
            if job.parts.isEmpty {
                guard count > 0, count <= PlaceVector.mostPartitions else { continue }
                jobs[ticket]?.begin(partitions: count, watch: watches[job.topic])
            }
            jobs[ticket]?.check(cluster, &epochs)
            finish(ticket, &watches, into: &output)
        }
    }

    private mutating func finish(
        _ ticket: UInt64, _ watches: inout WatchSet, into output: inout SessionOutput
    ) {
        while var job = jobs[ticket], job.isDone {
            let watch = watches[job.topic]
            if job.goOn(watch: watch) {
                jobs[ticket] = job
                continue
            }
            var losses: [String] = []
            let origin = watch?.origin ?? Origin(job.request.channel.name)
            let answer = job.page(origin, at: output.time, losses: &losses)
            jobs[ticket] = job
            guard let (page, place) = answer else { return }
            jobs[ticket] = nil
            if job.isAtTail { job.release(to: &watches, place) }
            watches[job.topic]?.heardOf(place, isReset: page.verdict == .reset)
            for loss in losses where job.request.channel.id >= 0 {
                output.append(.undeliverable(topic: job.request.channel.id, loss))
            }
            output.append(.page(page))
        }
    }

    /// Answers those of a topic that is not there: nothing was ever published to it.
    mutating func isAbsent(_ topic: String, into output: inout SessionOutput) {
        for (ticket, job) in jobs.sorted(by: { $0.key < $1.key })
        where job.topic == topic && job.parts.isEmpty {
            jobs[ticket] = nil
            var verdict = HistoryPage.Verdict.kept
            if case .forwards(let page) = job.request.kind, page.cursor.position != .origin {
                verdict = .reset
            }
            output.append(
                .page(
                    HistoryPage(
                        ticket: ticket, verdict: verdict, next: .after(.origin), isEnd: true)))
        }
    }

    mutating func refuse(
        _ topic: String, _ rejection: Rejection, into output: inout SessionOutput
    ) {
        for (ticket, job) in jobs.sorted(by: { $0.key < $1.key }) where job.topic == topic {
            jobs[ticket] = nil
            output.append(.pageRefused(ticket: ticket, rejection))
        }
    }

    // MARK: What to ask

    /// The brokers that something is to be asked of.
    func leaders(_ cluster: ClusterMap) -> Set<Int32> {
        var brokers: Set<Int32> = []
        for job in jobs.values {
            for (index, part) in job.parts.enumerated() where part.isToBeAsked {
                if let leader = cluster.leader(of: job.topic, Int32(index)) {
                    brokers.insert(leader.broker)
                }
            }
        }
        return brokers
    }

    /// The requests to one broker, one for each job.
    mutating func takeRequests(
        to broker: Int32, _ cluster: ClusterMap, at now: Instant, _ wake: inout WakeTime
    ) -> [KafkaRequest] {
        var requests: [KafkaRequest] = []
        for ticket in jobs.keys.sorted() {
            guard let job = jobs[ticket] else { continue }
            var questions: [ListOffsetsMessage.Wish] = []
            var fetches: [FetchMessage.Wish] = []
            for (index, part) in job.parts.enumerated() where part.isToBeAsked {
                guard let leader = cluster.leader(of: job.topic, Int32(index)),
                    leader.broker == broker, part.retry.isDue(at: now, &wake)
                else { continue }
                jobs[ticket]?.parts[index].isAsked = true
                if case .ask(let question) = part.need {
                    questions.append(
                        ListOffsetsMessage.Wish(
                            topic: job.topic, index: Int32(index), leaderEpoch: leader.epoch,
                            question: question))
                } else {
                    fetches.append(
                        FetchMessage.Wish(
                            topic: job.topic, index: Int32(index), leaderEpoch: leader.epoch,
                            offset: part.next ?? part.from))
                }
            }
            if !questions.isEmpty { requests.append(.listOffsets(questions, for: .job(ticket))) }
            if !fetches.isEmpty {
                requests.append(
                    .fetch(fetches, options.limits(wait: ReadOptions.shortWait), job: ticket))
            }
        }
        return requests
    }

    // MARK: Answers

    /// Takes an answer of ListOffsets. True if the metadata is out of date.
    mutating func take(
        _ answer: ListOffsetsMessage, for ticket: UInt64, at now: Instant,
        into output: inout SessionOutput
    ) -> Bool {
        var isStale = false
        for partition in answer.partitions {
            let index = Int(partition.index)
            guard isAwaited(index, partition.topic, ticket) else { continue }
            jobs[ticket]?.parts[index].isAsked = false
            if partition.error.isNone {
                jobs[ticket]?.answered(
                    index, offset: partition.offset, timestamp: partition.timestamp, at: now)
            } else if failed(partition.error, ticket, index, at: now, into: &output) {
                isStale = true
            }
        }
        return isStale
    }

    /// Takes what a fetch has brought. True if the metadata is out of date.
    mutating func take(
        _ answer: FetchMessage, asked wishes: [FetchMessage.Wish], for ticket: UInt64,
        in bytes: [UInt8], at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) -> Bool {
        var isStale = false
        for partition in answer.partitions {
            let index = Int(partition.index)
            guard isAwaited(index, partition.topic, ticket) else { continue }
            jobs[ticket]?.parts[index].isAsked = false
            switch partition.error {
            case .none: try jobs[ticket]?.fetched(partition, in: bytes)
            case .offsetOutOfRange: jobs[ticket]?.outside(index)
            default:
                if failed(partition.error, ticket, index, at: now, into: &output) {
                    isStale = true
                }
            }
        }
        for wish in wishes where isAwaited(Int(wish.index), wish.topic, ticket) {
            // Tansu answers without any partition at times.
            jobs[ticket]?.parts[Int(wish.index)].isAsked = false
            jobs[ticket]?.parts[Int(wish.index)].retry.wait(at: now)
        }
        return isStale
    }

    private func isAwaited(_ index: Int, _ topic: String, _ ticket: UInt64) -> Bool {
        guard let job = jobs[ticket], job.topic == topic, job.parts.indices.contains(index) else {
            return false
        }
        return job.parts[index].isAsked
    }

    /// True if the metadata is out of date.
    private mutating func failed(
        _ error: KafkaError, _ ticket: UInt64, _ index: Int, at now: Instant,
        into output: inout SessionOutput
    ) -> Bool {
        if error == .topicAuthorizationFailed {
            jobs[ticket] = nil
            let rejection = Rejection(kind: .permission, message: "\(error)")
            output.append(.pageRefused(ticket: ticket, rejection))
            return false
        }
        jobs[ticket]?.fetchAgain(index)
        jobs[ticket]?.parts[index].retry.wait(at: now)
        return error.isStaleMetadata
    }

    /// What a connection that is gone was asked is to be asked anew.
    mutating func lost(_ ticket: UInt64, _ indices: [Int32]) {
        for index in indices where jobs[ticket]?.parts.indices.contains(Int(index)) == true {
            jobs[ticket]?.parts[Int(index)].isAsked = false
            jobs[ticket]?.fetchAgain(Int(index))
        }
    }
}

extension ReadJob {
    /// Gives back to the watch what the page has not taken, and lets it go on behind the page.
    fileprivate func release(to watches: inout WatchSet, _ place: PlaceVector) {
        guard let count = watches[topic]?.partitions.count else { return }
        for index in 0..<count {
            // Its end is still to be told: the watch begins there, and the core reads up to it.
            if watches[topic]?.partitions[index].isSettled == false { continue }
            let part = index < parts.count ? parts[index] : Part()
            if let records = part.records.first, part.records.count == 1, part.isPartlyTaken {
                watches[topic]?.keep(records, of: index, from: place)
            } else if !part.records.isEmpty
                || watches[topic]?.partitions[index].place != place[index]
            {
                watches[topic]?.watchOn(index, from: place)
            }
        }
    }
}
