import BroadcasterWire

/// What a session wants, and asks for.
extension KafkaSession {
    /// Asks for all that is wanted and not under way.
    mutating func proceed(at now: Instant, into output: inout SessionOutput) {
        wake = WakeTime()
        if phase == .greeting || phase == .reaching { askFirst(at: now, into: &output) }
        guard phase == .open else { return }
        logInAgain(at: now, into: &output)
        askForMetadata(at: now, into: &output)
        answerPings(at: now, into: &output)
        readOn(at: now, into: &output)
        askForEpochs(at: now, into: &output)
        publishOn(at: now, into: &output)
    }

    mutating func askFirst(at now: Instant, into output: inout SessionOutput) {
        guard phase == .greeting, let lane = connections.anyLane(at: now),
            metadata.isFirst
        else { return }
        send(.metadata(topics: [], createsTopics: false), on: lane, at: now, into: &output)
        metadata.asked(at: now)
    }

    mutating func send(
        _ request: KafkaRequest, on lane: Lane, patience: Duration = .zero, at now: Instant,
        into output: inout SessionOutput
    ) {
        connections[lane]?.send(request, patience: patience, at: now, into: &output)
    }

    mutating func logInAgain(at now: Instant, into output: inout SessionOutput) {
        for lane in connections.lanes {
            guard let connection = connections[lane] else { continue }
            if let due = connection.loginUntil { _ = wake.isReached(due, at: now) }
            guard connection.mustLogInAgain(at: now), connection.sentCount == 0 else { continue }
            if lane == .main {
                // Its trace no longer masks passwords: another lane takes its place.
                _ = connections.remove(lane)
                output.finish(lane)
                if let broker = connection.broker {
                    _ = self.lane(to: broker, for: .commands, at: now, into: &output)
                }
            } else {
                connections[lane]?.logInAgain(at: now, into: &output)
            }
        }
    }

    /// A lane for what any broker answers. Where none is there, one is asked for.
    mutating func anyLane(at now: Instant, into output: inout SessionOutput) -> Lane? {
        if let lane = connections.anyLane(at: now) { return lane }
        if !connections.hasCommands {
            for broker in cluster.brokers.keys.sorted() {
                _ = lane(to: broker, for: .commands, at: now, into: &output)
                if connections.hasCommands { break }
            }
        }
        return nil
    }

    mutating func askForMetadata(at now: Instant, into output: inout SessionOutput) {
        let owned = Set(watches.topics).union(producer.topics)
        let wanted = owned.union(jobs.topics)
        let unknown = wanted.filter { !cluster.knows($0) }
        if !wanted.isEmpty,
            !unknown.isEmpty || !unconfirmed.isEmpty
                || wanted.contains(where: { !cluster.isLed($0) })
        {
            metadata.wantUnlessUnderWay()
        }
        guard metadata.isDue(at: now, &wake), let lane = anyLane(at: now, into: &output) else {
            return
        }
        // Only new topics are created: one that was deleted stays so, until somebody asks for it anew.
        let asksForNew = !unknown.isEmpty
        let topics = (asksForNew ? unknown : wanted).sorted()
        send(
            .metadata(
                topics: topics,
                createsTopics: asksForNew && url.createsTopics && !owned.isDisjoint(with: unknown)),
            on: lane,
            at: now, into: &output)
        metadata.asked(at: now)
    }

    mutating func answerPings(at now: Instant, into output: inout SessionOutput) {
        guard pings > 0, let lane = anyLane(at: now, into: &output) else { return }
        for _ in 0..<pings { send(.apiVersions(isAsked: true), on: lane, at: now, into: &output) }
        pings = 0
    }

    mutating func readOn(at now: Instant, into output: inout SessionOutput) {
        if !jobs.isEmpty { readHistory(at: now, into: &output) }
        if watches.isEmpty { return }
        for broker in watches.leaders(cluster) {
            if watches.hasQuestions(for: broker, cluster),
                let lane = lane(to: broker, for: .commands, at: now, into: &output)
            {
                let wishes = watches.takeQuestions(for: broker, cluster, at: now, &wake)
                if !wishes.isEmpty {
                    send(.listOffsets(wishes, for: .watch), on: lane, at: now, into: &output)
                }
            }
            guard let lane = lane(to: broker, for: .fetches, at: now, into: &output),
                connections[lane]?.sentCount == 0
            else { continue }
            let (wishes, limits) = watches.fetch(
                from: broker, cluster, &epochs, at: now, &wake, into: &output)
            if wishes.isEmpty { continue }
            send(
                .fetch(wishes, limits, job: nil), on: lane, patience: url.longestWait, at: now,
                into: &output)
        }
    }

    mutating func readHistory(at now: Instant, into output: inout SessionOutput) {
        jobs.proceed(cluster, &watches, &epochs, into: &output)
        for broker in jobs.leaders(cluster).sorted() {
            guard let lane = lane(to: broker, for: .commands, at: now, into: &output) else {
                continue
            }
            for request in jobs.takeRequests(to: broker, cluster, at: now, &wake) {
                send(request, on: lane, at: now, into: &output)
            }
        }
    }

    /// Asks leaders where the messages of their predecessors end, before anything is fetched behind such a place.
    mutating func askForEpochs(at now: Instant, into output: inout SessionOutput) {
        for broker in epochs.leaders(cluster).sorted() {
            guard let lane = lane(to: broker, for: .commands, at: now, into: &output) else {
                continue
            }
            let wishes = epochs.takeQuestions(for: broker, cluster, at: now, &wake)
            if !wishes.isEmpty { send(.epochEnds(wishes), on: lane, at: now, into: &output) }
        }
    }

    /// Asks for the ends of the partitions beside those that are written to, for the positions of receipts.
    mutating func askForPlaces(at now: Instant, into output: inout SessionOutput) {
        var lanes: [Int32: Lane] = [:]
        for broker in producer.placeLeaders(cluster, at: now).sorted() {
            lanes[broker] = lane(to: broker, for: .commands, at: now, into: &output)
        }
        let questions = producer.takePlaceQuestions(cluster, at: now) { lanes[$0] != nil }
        for (broker, wishes) in questions.sorted(by: { $0.key < $1.key }) {
            guard let lane = lanes[broker] else { continue }
            send(.listOffsets(wishes, for: .producer), on: lane, at: now, into: &output)
        }
    }

    mutating func publishOn(at now: Instant, into output: inout SessionOutput) {
        if producer.isIdle { return }
        producer.expire(at: now, &wake, into: &output)
        if producer.wantsIdentity(at: now, &wake), let lane = anyLane(at: now, into: &output) {
            if connections[lane]?.knows(.initProducerId) == true {
                send(.producerId, on: lane, at: now, into: &output)
                producer.askedForIdentity()
            } else {
                producer.hasNoIdentity()
            }
        }
        var lanes: [Int32: Lane] = [:]
        for broker in producer.leaders(cluster).sorted() {
            lanes[broker] = lane(to: broker, for: .commands, at: now, into: &output)
            if let reason = connections.absence(of: broker) {
                producer.waits(forBroker: broker, cluster, because: reason)
            }
        }
        askForPlaces(at: now, into: &output)
        let batches = producer.takeBatches(cluster, time: time(at: now), at: now, &wake) {
            lanes[$0] != nil && !unconfirmed.contains($0)
        }
        for (broker, batches) in batches.sorted(by: { $0.key < $1.key }) {
            guard let lane = lanes[broker] else { continue }
            let timeout = producer.timeout
            send(
                .produce(
                    batches, acks: url.acks, timeout: Int32(clamping: timeout.wholeMilliseconds)),
                on: lane, patience: timeout, at: now, into: &output)
        }
    }

    /// Milliseconds since 1970.
    func time(at now: Instant) -> Int64 {
        wallTime + (now - (origin ?? now)).wholeMilliseconds
    }
}
