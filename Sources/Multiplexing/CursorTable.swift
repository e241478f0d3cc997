import BroadcasterWire

/// The readers of all channels whose history the server keeps, and the requests for them. A pure value.
struct CursorTable: Sendable {
    /// The use of an answer.
    private enum Flight: Sendable {
        case channel(Int, life: Int, CursorChannel.Purpose)
        case call(Int)
    }

    /// The task of a call that reads a page without subscribing.
    typealias Waiter = CheckedContinuation<Result<HistoryPage, SubscriptionFailure>, Never>

    struct Call: Sendable {
        let channel: TopicName
        let kind: HistoryRequest.Kind
        let waiter: Waiter
    }

    /// The results of an answer, to be acted upon outside of the lock.
    struct Outcome: Sendable {
        var handOuts: [HandOut] = []
        /// Subscribers of which one more start is known, and behind which message it is; nil right before one.
        var begun: [(subscriber: Int, start: Position?)] = []
        /// The channel that it is about.
        var topic = -1
        /// New messages of a channel's tail.
        var received = 0
        /// Subscribers that the server refuses to read for.
        var refused: (topic: Int, Rejection)?
        var call: (waiter: Waiter, result: Result<HistoryPage, SubscriptionFailure>)?
    }

    private var channels: [Int: (life: Int, channel: CursorChannel)] = [:]
    private var lastLife = 0
    /// The channels of each subscriber.
    private var places: [Int: [Int]] = [:]
    private var flights: [UInt64: Flight] = [:]
    private var lastTicket: UInt64 = 0
    /// Channels that may have requests, each once, in turn.
    private var turns = Queue<Int>()
    private var isQueued: Set<Int> = []
    private var calls: [Int: Call] = [:]
    private var newCalls = Queue<Int>()
    private var lastCall = 0

    /// Page reads under way on a connection: more would only fill the server's buffers, and ours.
    private static let flightLimit = 8

    // MARK: Subscribers

    mutating func add(_ mailbox: Mailbox, as id: Int, to topics: [Topic], _ start: HistoryStart) {
        places[id, default: []] += topics.map(\.id)
        for topic in topics {
            change(topic) { $0.add(mailbox, as: id, start) }
        }
    }

    mutating func remove(_ id: Int) {
        for topic in places.removeValue(forKey: id) ?? [] { channels[topic]?.channel.remove(id) }
    }

    /// Takes a subscriber out of some of its channels.
    mutating func leave(_ id: Int, _ topics: [Int]) {
        guard places[id] != nil else { return }
        for topic in topics { channels[topic]?.channel.leave(id) }
        places[id]?.removeAll { topics.contains($0) }
    }

    mutating func roomMade(_ id: Int) {
        for topic in places[id] ?? [] { change(topic) { $0.roomMade(id) } }
    }

    private mutating func change(_ topic: Topic, _ body: (inout CursorChannel) -> Void) {
        // A number may be another topic's by now.
        if channels[topic.id]?.channel.topic != topic {
            lastLife += 1
            channels[topic.id] = (lastLife, CursorChannel(topic))
        }
        change(topic.id, body)
    }

    private mutating func change(_ topic: Int, _ body: (inout CursorChannel) -> Void) {
        channels[topic]?.channel.apply(body)
        if channels[topic]?.channel.hasRequest == true, isQueued.insert(topic).inserted {
            turns.append(topic)
        }
    }

    // MARK: Calls

    mutating func newCall() -> Int {
        lastCall += 1
        return lastCall
    }

    mutating func add(_ call: Call, as number: Int) {
        calls[number] = call
        newCalls.append(number)
    }

    mutating func removeCall(_ number: Int) -> Waiter? {
        calls.removeValue(forKey: number)?.waiter
    }

    // MARK: Requests

    mutating func takeRequests() -> [HistoryRequest] {
        var requests: [HistoryRequest] = []
        while flights.count < CursorTable.flightLimit, let number = newCalls.removeFirst() {
            guard let call = calls[number] else { continue }
            let channel = Topic(id: -1, name: call.channel)
            requests.append(request(channel, call.kind, .call(number)))
        }
        while flights.count < CursorTable.flightLimit, let topic = turns.removeFirst() {
            isQueued.remove(topic)
            guard let (life, channel) = channels[topic] else { continue }
            var next: (HistoryRequest.Kind, CursorChannel.Purpose)?
            change(topic) { next = $0.takeRequest() }
            guard let (kind, purpose) = next else { continue }
            requests.append(
                request(channel.topic, kind, .channel(topic, life: life, purpose)))
        }
        return requests
    }

    private mutating func request(
        _ channel: Topic, _ kind: HistoryRequest.Kind, _ flight: Flight
    ) -> HistoryRequest {
        lastTicket += 1
        flights[lastTicket] = flight
        return HistoryRequest(ticket: lastTicket, channel: channel, kind: kind)
    }

    // MARK: The server

    mutating func rang(_ topic: Int) {
        change(topic) { $0.rang() }
    }

    /// The result is the subscribers that begin there.
    mutating func confirmed(_ topic: Int, at position: Position) -> Outcome {
        var outcome = Outcome()
        change(topic) { channel in
            outcome.begun = channel.confirmed(at: position).map { ($0, Optional(position)) }
        }
        return outcome
    }

    /// The server has forgotten the topic, or refused it: its number may be another's next.
    mutating func unsubscribed(_ topic: Int) {
        if channels[topic]?.channel.isEmpty == true { channels[topic] = nil }
    }

    mutating func disconnected() {
        for case .call(let number) in flights.values { newCalls.append(number) }
        flights = [:]
        for topic in channels.keys {
            if channels[topic]?.channel.isEmpty == true {
                channels[topic] = nil
            } else {
                change(topic) { $0.disconnected() }
            }
        }
    }

    mutating func answered(_ page: HistoryPage) -> Outcome {
        var outcome = Outcome()
        switch flights.removeValue(forKey: page.ticket) {
        case .call(let number):
            outcome.call = removeCall(number).map { ($0, .success(page)) }
        case .channel(let topic, let life, let purpose) where channels[topic]?.life == life:
            outcome.topic = topic
            change(topic) { channel in
                switch purpose {
                case .tail(let from):
                    outcome.received = page.messages?.count ?? 0
                    outcome.handOuts = channel.tailRead(page, from: from)
                case .page(let ids, let request):
                    outcome.handOuts = channel.pageRead(page, request, for: ids)
                case .start(let ids):
                    let started = channel.started(ids, at: page.next)
                    outcome.handOuts = started.handOuts
                    outcome.begun = started.begun.map {
                        ($0, page.next.isInclusive ? nil : page.next.position)
                    }
                }
            }
        case .channel, nil: break
        }
        return outcome
    }

    mutating func refused(_ ticket: UInt64, _ rejection: Rejection) -> Outcome {
        var outcome = Outcome()
        switch flights.removeValue(forKey: ticket) {
        case .call(let number):
            outcome.call = calls.removeValue(forKey: number).map { call in
                (call.waiter, .failure(.refused(topic: call.channel, rejection)))
            }
        case .channel(let topic, let life, let purpose) where channels[topic]?.life == life:
            if rejection.kind == .temporary {
                channels[topic]?.channel.postponed(purpose)
            } else {
                outcome.refused = (topic, rejection)
            }
        case .channel, nil: break
        }
        return outcome
    }

    /// Notes what mailboxes have taken. The result is what follows at once.
    mutating func handed(_ results: [(HandOut, Mailbox.Taken)]) -> [HandOut] {
        var following: [HandOut] = []
        for (handOut, taken) in results {
            change(handOut.topic) { channel in
                if let next = channel.handed(handOut, taken) { following.append(next) }
            }
        }
        return following
    }

    /// Takes all calls out.
    mutating func close() -> [Waiter] {
        let waiters = calls.values.map(\.waiter)
        self = CursorTable()
        return waiters
    }
}
