import BroadcasterSockets
import BroadcasterWire

/// The connections of one session, and the attempts that are to become such. Belongs to the runner's actor.
///
/// It connects, reads and writes; what that means is the session's affair.
struct LaneSet {
    /// A report of the host's. Its attempt may be over: then it says nothing.
    enum Report: Sendable {
        case connected(Lane, attempt: Int, PeerInfo, Result<any ByteStream, LaneFailure>)
        case ready(Lane, attempt: Int, Readiness)
    }

    /// A change that the session is to be told of.
    enum Change {
        case opened(Lane, PeerInfo)
        case wrote(Lane)
        /// The last `count` bytes of `transport.received` are new.
        case received(Lane, Transport, count: Int)
        case failed(Lane, LaneFailure)
    }

    private enum Entry {
        case dialing(LoginAttempt)
        case open(Transport)
    }

    private let host: any RunnerHost
    private let passwords: PasswordSource?
    private var report: @Sendable (Report) -> Void = { _ in }
    private var entries = LaneTable<(attempt: Int, entry: Entry)>()
    private var lastAttempt = 0

    /// - Parameter passwords: where to look for a password before a lane that logs in is connected.
    init(on host: any RunnerHost, passwords: PasswordSource?) {
        self.host = host
        self.passwords = passwords
    }

    /// - Parameter report: gets all that comes of the lanes, on the host's executor.
    mutating func open(report: @escaping @Sendable (Report) -> Void) {
        self.report = report
    }

    private func transport(_ lane: Lane) -> Transport? {
        if case .open(let transport)? = entries[lane]?.entry { transport } else { nil }
    }

    /// The same, if it has come of this attempt.
    private func transport(_ lane: Lane, _ attempt: Int) -> Transport? {
        guard let known = entries[lane], known.attempt == attempt,
            case .open(let transport) = known.entry
        else { return nil }
        return transport
    }

    var isEmpty: Bool { entries.isEmpty }

    /// True if the lane is open, or being connected.
    func has(_ lane: Lane) -> Bool {
        entries[lane] != nil
    }

    func isOpen(_ lane: Lane) -> Bool {
        transport(lane) != nil
    }

    // MARK: Connecting

    /// Connects the lanes that a session asks for, unless they are there.
    mutating func dial(
        _ wishes: [SessionOutput.Connection], current: Endpoint, deadline: Instant
    ) {
        for wish in wishes where !has(wish.lane) {
            dial(wish.lane, wish.endpoint ?? current, isLogin: wish.isLogin, deadline: deadline)
        }
    }

    /// Begins to connect `lane`.
    ///
    /// - Parameter isLogin: whether the session logs in there.
    mutating func dial(_ lane: Lane, _ endpoint: Endpoint, isLogin: Bool, deadline: Instant) {
        lastAttempt += 1
        let (number, report) = (lastAttempt, report)
        let attempt = LoginAttempt(to: endpoint, deadline: deadline, on: host) { peer, result in
            let watched = result.flatMap { stream in
                Result { () throws(LaneFailure) in
                    do throws(SocketError) {
                        try stream.watch { report(.ready(lane, attempt: number, $0)) }
                        return stream
                    } catch {
                        throw .unreachable(error.description)
                    }
                }
            }
            report(.connected(lane, attempt: number, peer, watched))
        }
        entries[lane] = (number, .dialing(attempt))
        attempt.start(isLogin ? passwords : nil)
    }

    // MARK: Reports

    /// Writes what waits, where the report says that there is room again.
    func write(_ report: Report) -> Change? {
        guard case .ready(let lane, let attempt, let readiness) = report,
            readiness.contains(.writable), let transport = transport(lane, attempt)
        else { return nil }
        return flush(lane, transport) ?? .wrote(lane)
    }

    /// Takes in a connection, or what has come on one.
    mutating func read(_ report: Report) -> Change? {
        switch report {
        case .connected(let lane, let attempt, let peer, let result):
            guard entries[lane]?.attempt == attempt else { return nil }
            switch result {
            case .success(let stream):
                entries[lane] = (attempt, .open(Transport(stream)))
                return .opened(lane, peer)
            case .failure(let failure): return .failed(lane, failure)
            }
        case .ready(let lane, let attempt, let readiness):
            guard !readiness.isDisjoint(with: [.readable, .failed]),
                let transport = transport(lane, attempt)
            else { return nil }
            return read(lane, transport)
        }
    }

    private func read(_ lane: Lane, _ transport: Transport) -> Change? {
        do throws(SocketError) {
            switch try transport.read() {
            case .wouldBlock: return nil
            case .end: return .failed(lane, .lost("the server closed the connection"))
            case .bytes(let count): return .received(lane, transport, count: count)
            }
        } catch {
            return .failed(lane, LaneFailure(error))
        }
    }

    // MARK: Sending

    /// The bytes that wait to be sent, on all lanes together.
    var unsentCount: Int {
        var sum = 0
        entries.forEach { _, lane in
            if case .open(let transport) = lane.entry { sum += transport.unsentCount }
        }
        return sum
    }

    /// Takes bytes to send on a lane that is open.
    func append(_ bytes: inout [UInt8], to lane: Lane) {
        transport(lane)?.append(&bytes)
    }

    /// Writes what waits, as far as the streams take it. The result is the lanes that were found to be lost.
    func flush() -> [Change] {
        var failures: [Change] = []
        entries.forEach { lane, known in
            if case .open(let transport) = known.entry, let failure = flush(lane, transport) {
                failures.append(failure)
            }
        }
        return failures
    }

    private func flush(_ lane: Lane, _ transport: Transport) -> Change? {
        do throws(SocketError) {
            try transport.flush()
            return nil
        } catch {
            return .failed(lane, LaneFailure(error))
        }
    }

    // MARK: Closing

    /// Tells the peers on all lanes that nothing more comes; what they still send is read.
    func finishWriting() {
        for lane in entries.lanes { transport(lane)?.stream.finishWriting() }
    }

    /// Closes one lane. What is still to be sent goes out first, as far as the stream takes it; then FIN.
    mutating func finish(_ lane: Lane) {
        if let transport = transport(lane) {
            _ = flush(lane, transport)
            transport.stream.finishWriting()
        }
        remove(lane)
    }

    /// Closes one lane at once.
    mutating func remove(_ lane: Lane) {
        switch entries[lane].take()?.entry {
        case .dialing(let attempt): attempt.cancel()
        case .open(let transport): transport.stream.close()
        case nil: break
        }
    }

    /// Closes everything at once.
    mutating func removeAll() {
        for lane in entries.lanes { remove(lane) }
    }
}

extension LaneFailure {
    fileprivate init(_ error: SocketError) {
        self = error.isSilence ? .silent(error.description) : .lost(error.description)
    }
}
