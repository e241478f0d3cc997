import BroadcasterWire

extension Lane {
    /// A connection to a sentinel that is watched. The numbers below are those of the conversation with the master.
    static func sentinel(_ seat: Int) -> Lane { Lane(index: 16 + seat) }
}

/// Watches sentinels while we are at the master: they alone tell that another server has become it.
///
/// The old master says nothing: for 10 s or so it answers ROLE with master, counts receivers, and brings back what is
/// published there (Redis 7.0.15 and 8.2.3). Two sentinels are watched, since they announce up to a second apart. An
/// announcement is believed at once; an answer only where all of them agree, for a second: one that comes late still names
/// the old master.
struct SentinelWatch: Sendable {
    private let service: String
    private let login: RedisLogin?
    /// The master that we are at.
    private let current: Endpoint
    /// Those of the URL first, then those that others have named.
    private var known: [Endpoint]
    private var seats: [SentinelSeat?] = [nil, nil]
    /// The moment at which an empty seat is filled; nil for one that is not empty.
    private var fillAt: [Instant?]
    /// The place in `known` at which the next search begins: one that has just been lost is tried last.
    private var nextKnown = 0
    /// Sentinels that have been named since the last `takeLearned`.
    private var learned: [Endpoint] = []

    /// Quorums have 3 or 5 sentinels; what a hostile one adds is not kept.
    private static let mostKnown = 32
    private static let refill: Duration = .seconds(1)
    private static let agreement: Duration = .seconds(1)

    init(
        _ sentinels: [Endpoint], of service: String, at current: Endpoint, _ login: RedisLogin?,
        at now: Instant
    ) {
        known = sentinels
        self.service = service
        self.current = current
        self.login = login
        fillAt = [now, now]
    }

    func owns(_ lane: Lane) -> Bool { seats.indices.contains(lane.index - Lane.sentinel(0).index) }

    private func seat(of lane: Lane) -> Int { lane.index - Lane.sentinel(0).index }

    mutating func opened(_ lane: Lane, at now: Instant, into output: inout SessionOutput) {
        seats[seat(of: lane)]?.opened(at: now, into: &output)
    }

    /// Takes what a sentinel says. The result is the master to go to, where it is another one.
    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) -> Endpoint? {
        let number = seat(of: lane)
        let reports: [SentinelSeat.Report]
        do throws(ProtocolError) {
            reports = try seats[number]?.receive(&buffer, current: current, at: now) ?? []
        } catch {
            // Nothing of what a sentinel says is a fault of the session.
            buffer.consume(upTo: buffer.bytes.count)
            output.finish(lane)
            empty(number, at: now)
            return nil
        }
        for report in reports {
            switch report {
            case .switched(let master) where master != current: return master
            case .switched, .answered: break
            case .sentinels(let others): learn(others)
            }
        }
        return agreed(at: now)
    }

    private mutating func learn(_ others: [Endpoint]) {
        for sentinel in others where !known.contains(sentinel) {
            guard known.count < SentinelWatch.mostKnown else { return }
            known.append(sentinel)
            learned.append(sentinel)
        }
    }

    /// Takes the sentinels that others have named since the last call.
    mutating func takeLearned() -> [Endpoint] {
        defer { learned = [] }
        return learned
    }

    /// The master that all watched sentinels have named for long enough, where it is another than ours.
    private func agreed(at now: Instant) -> Endpoint? {
        let words = seats.compactMap { $0?.word }
        guard let master = words.first?.master, master != current,
            words.allSatisfy({ $0.master == master && now - $0.since >= SentinelWatch.agreement })
        else { return nil }
        return master
    }

    mutating func lost(_ lane: Lane, at now: Instant) {
        empty(seat(of: lane), at: now)
    }

    private mutating func empty(_ seat: Int, at now: Instant) {
        seats[seat] = nil
        fillAt[seat] = now + SentinelWatch.refill
    }

    // MARK: Time

    var deadline: Instant? {
        var next: Instant?
        for seat in seats.indices {
            next = next.orEarlier(fillAt[seat]).orEarlier(seats[seat]?.deadline)
        }
        return next
    }

    mutating func timeReached(_ now: Instant, into output: inout SessionOutput) {
        for number in seats.indices {
            if seats[number]?.timeReached(now, into: &output) == false {
                output.finish(.sentinel(number))
                empty(number, at: now)
            } else if let due = fillAt[number], now >= due {
                fill(number, at: now, into: &output)
            }
        }
    }

    /// Goes to the next sentinel that is known and not watched.
    private mutating func fill(_ number: Int, at now: Instant, into output: inout SessionOutput) {
        let watched = seats.compactMap { $0?.sentinel }
        let order = known.indices.map { known[(nextKnown + $0) % known.count] }
        guard let sentinel = order.first(where: { !watched.contains($0) }) else {
            // Others may be named meanwhile.
            fillAt[number] = now + SentinelWatch.refill
            return
        }
        nextKnown = (known.firstIndex(of: sentinel) ?? 0) + 1
        fillAt[number] = nil
        seats[number] = SentinelSeat(.sentinel(number), at: sentinel, service, login)
        output.connect(.sentinel(number), to: sentinel, login: false)
    }

    /// Closes all connections.
    mutating func finish(into output: inout SessionOutput) {
        for number in seats.indices where seats[number] != nil {
            output.finish(.sentinel(number))
            seats[number] = nil
        }
        fillAt = [nil, nil]
    }
}
