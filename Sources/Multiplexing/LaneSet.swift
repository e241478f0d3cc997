import BroadcasterSockets
import BroadcasterTLS
import BroadcasterWire

/// The connections of one session, and the attempts that are to become such. Belongs to the runner's actor.
///
/// It connects, secures, reads and writes; what that means is the session's affair.
struct LaneSet {
    /// A report of the host's. Its attempt may be over: then it says nothing.
    enum Report: Sendable {
        case connected(Lane, attempt: Int, PeerInfo, LoginAttempt.Result)
        case ready(Lane, attempt: Int, Readiness)
        /// The files have been read for the security of a lane that is there.
        case prepared(Lane, attempt: Int, Result<TLSClient, LaneFailure>)
        /// A handshake has taken all the time that it may take.
        case late(Lane, attempt: Int, Duration)
    }

    /// A change that the session is to be told of.
    enum Change {
        case opened(Lane, PeerInfo)
        case wrote(Lane)
        /// The last `count` bytes of `transport.received` are new.
        case received(Lane, Transport, count: Int)
        case failed(Lane, LaneFailure)
    }

    /// The end of the time that a lane has to become open.
    private struct Deadline {
        let moment: Instant
        /// All of that time, for an error: as long as was asked for.
        let time: Duration

        init(_ moment: Instant, from now: Instant) {
            self.moment = moment
            time = .milliseconds(10) * Int(((moment - now) / .milliseconds(10)).rounded())
        }
    }

    private enum Entry {
        case dialing(LoginAttempt, until: Deadline)
        case connected(Transport)
    }

    private let host: any RunnerHost
    private let backend: any Backend
    private let passwords: PasswordSource?
    private let contexts = TLSContexts { SystemFiles.modified($0) }
    private var report: @Sendable (Report) -> Void = { _ in }
    private var entries = LaneTable<(attempt: Int, entry: Entry)>()
    private var lastAttempt = 0

    /// - Parameter passwords: where to look for a password, before the backend's own source, when a lane that logs in is
    ///   connected.
    init(on host: any RunnerHost, for backend: any Backend, passwords: PasswordSource?) {
        self.host = host
        self.backend = backend
        self.passwords = passwords ?? backend.passwords
    }

    /// - Parameter report: gets all that comes of the lanes, on the host's executor.
    mutating func open(report: @escaping @Sendable (Report) -> Void) {
        self.report = report
    }

    /// The transport of a lane that is open, or being secured.
    private func transport(_ lane: Lane) -> Transport? {
        if case .connected(let transport)? = entries[lane]?.entry { transport } else { nil }
    }

    /// The same, if it has come of this attempt.
    private func transport(_ lane: Lane, _ attempt: Int) -> Transport? {
        guard let known = entries[lane], known.attempt == attempt,
            case .connected(let transport) = known.entry
        else { return nil }
        return transport
    }

    var isEmpty: Bool { entries.isEmpty }

    /// True if the lane is open, or being connected.
    func has(_ lane: Lane) -> Bool {
        entries[lane] != nil
    }

    func isOpen(_ lane: Lane) -> Bool {
        transport(lane)?.isOpen ?? false
    }

    /// The server with the security of the main lane.
    func secured(_ identity: ServerIdentity) -> ServerIdentity {
        var identity = identity
        identity.security = transport(.main)?.peer.security
        return identity
    }

    // MARK: Connecting

    /// Connects the lanes that a session asks for, unless they are there; and secures those that it wants secured.
    mutating func dial(
        _ wishes: [SessionOutput.Connection], current: Endpoint, deadline: Instant
    ) {
        for wish in wishes {
            if let options = wish.security {
                secure(wish.lane, options, deadline: deadline)
            } else if !has(wish.lane) {
                dial(wish.lane, wish.endpoint ?? current, isLogin: wish.isLogin, deadline: deadline)
            }
        }
    }

    /// Begins to connect `lane`.
    ///
    /// - Parameter isLogin: whether the session logs in there.
    mutating func dial(_ lane: Lane, _ endpoint: Endpoint, isLogin: Bool, deadline: Instant) {
        lastAttempt += 1
        let (number, report) = (lastAttempt, report)
        let attempt = LoginAttempt(to: endpoint, deadline: deadline, on: host) { peer, result in
            let watched = result.flatMap { connection in
                Result { () throws(LaneFailure) in
                    do throws(SocketError) {
                        try connection.stream.watch { report(.ready(lane, attempt: number, $0)) }
                        return connection
                    } catch {
                        throw .unreachable(error.description)
                    }
                }
            }
            report(.connected(lane, attempt: number, peer, watched))
        }
        entries[lane] = (number, .dialing(attempt, until: Deadline(deadline, from: host.now)))
        let security = backend.security(to: endpoint).map { clientMaker(endpoint, $0) }
        attempt.start(isLogin ? passwords : nil, security)
    }

    // MARK: Securing

    private func clientMaker(
        _ endpoint: Endpoint, _ options: TLSOptions
    ) -> LoginAttempt.ClientMaker {
        { [contexts] () throws(LaneFailure) in
            do throws(TLSError) {
                return try contexts.client(to: endpoint, options)
            } catch {
                throw LaneFailure(error)
            }
        }
    }

    /// Secures a lane that is open, from where it stands.
    private func secure(_ lane: Lane, _ options: TLSOptions, deadline: Instant) {
        guard let attempt = entries[lane]?.attempt, let transport = transport(lane, attempt),
            transport.isOpen
        else { return }
        let make = clientMaker(transport.peer.endpoint, options)
        let (host, report) = (host, report)
        wait(for: lane, attempt, transport, until: Deadline(deadline, from: host.now))
        Task.detached {
            let result = Result { () throws(LaneFailure) in try make() }
            host.execute { report(.prepared(lane, attempt: attempt, result)) }
        }
    }

    /// The lane is not open before its handshake is done, for which it has this time.
    private func wait(
        for lane: Lane, _ attempt: Int, _ transport: Transport, until deadline: Deadline
    ) {
        let report = report
        // A little before the attempt's own deadline: this says more.
        transport.waits(
            cancel: host.schedule(at: deadline.moment - .milliseconds(5)) {
                report(.late(lane, attempt: attempt, deadline.time))
            })
    }

    private func beginHandshake(_ lane: Lane, _ transport: Transport, _ client: TLSClient)
        -> Change?
    {
        // Nobody has vouched for them (CVE-2021-23222).
        guard transport.received.isEmpty else { return .failed(lane, LaneSet.bytesBeforeTLS) }
        do throws(LaneFailure) {
            try transport.secure(by: client)
            return nil
        } catch {
            return .failed(lane, error)
        }
    }

    private static let bytesBeforeTLS = LaneFailure.insecure(
        "bytes came before TLS began, in clear text: somebody may stand between")

    // MARK: Reports

    /// Writes what waits, where the report says that there is room again.
    func write(_ report: Report) -> Change? {
        guard case .ready(let lane, let attempt, let readiness) = report,
            readiness.contains(.writable), let transport = transport(lane, attempt)
        else { return nil }
        return flush(lane, transport) ?? (transport.isOpen ? .wrote(lane) : nil)
    }

    /// Takes in a connection, a step of its security, or what has come on one.
    mutating func read(_ report: Report) -> Change? {
        switch report {
        case .connected(let lane, let attempt, let peer, let result):
            guard entries[lane]?.attempt == attempt else { return nil }
            return connected(lane, attempt, peer, result)
        case .ready(let lane, let attempt, let readiness):
            guard !readiness.isDisjoint(with: [.readable, .failed]),
                let transport = transport(lane, attempt)
            else { return nil }
            return read(lane, transport)
        case .prepared(let lane, let attempt, let result):
            guard let transport = transport(lane, attempt) else { return nil }
            switch result {
            case .success(let client): return beginHandshake(lane, transport, client)
            case .failure(let failure): return .failed(lane, failure)
            }
        case .late(let lane, let attempt, let time):
            guard transport(lane, attempt)?.isOpen == false else { return nil }
            let text = "no TLS answer within \(time): perhaps a port without TLS"
            return .failed(lane, .unreachable(text))
        }
    }

    private mutating func connected(
        _ lane: Lane, _ attempt: Int, _ peer: PeerInfo, _ result: LoginAttempt.Result
    ) -> Change? {
        guard case .dialing(_, let deadline)? = entries[lane]?.entry else { return nil }
        switch result {
        case .success(let connection):
            let transport = Transport(connection.stream, to: peer)
            entries[lane] = (attempt, .connected(transport))
            guard let client = connection.client else { return .opened(lane, peer) }
            wait(for: lane, attempt, transport, until: deadline)
            return beginHandshake(lane, transport, client)
        case .failure(let failure): return .failed(lane, failure)
        }
    }

    private func read(_ lane: Lane, _ transport: Transport) -> Change? {
        do throws(LaneFailure) {
            let reading = try transport.read()
            if transport.hasMore, let attempt = entries[lane]?.attempt {
                host.execute { [report] in report(.ready(lane, attempt: attempt, .readable)) }
            }
            switch reading {
            case .wouldBlock:
                return transport.opens() ? .opened(lane, transport.peer) : nil
            case .end: throw .lost("the server closed the connection")
            case .bytes where !transport.isOpen: return .failed(lane, LaneSet.bytesBeforeTLS)
            case .bytes(let count): return .received(lane, transport, count: count)
            }
        } catch {
            return .failed(lane, transport.explained(error))
        }
    }

    // MARK: Sending

    /// The bytes that wait to be sent, on all lanes together.
    var unsentCount: Int {
        var sum = 0
        entries.forEach { _, lane in
            if case .connected(let transport) = lane.entry { sum += transport.unsentCount }
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
            if case .connected(let transport) = known.entry, let failure = flush(lane, transport) {
                failures.append(failure)
            }
        }
        return failures
    }

    private func flush(_ lane: Lane, _ transport: Transport) -> Change? {
        do throws(LaneFailure) {
            try transport.flush()
            return nil
        } catch {
            return .failed(lane, error)
        }
    }

    // MARK: Closing

    /// Tells the peers on all lanes that nothing more comes; what they still send is read.
    func finishWriting() {
        for lane in entries.lanes { transport(lane)?.finishWriting() }
    }

    /// Closes one lane. What is still to be sent goes out first, as far as the stream takes it; then FIN.
    mutating func finish(_ lane: Lane) {
        if let transport = transport(lane) {
            _ = flush(lane, transport)
            transport.finishWriting()
        }
        remove(lane)
    }

    /// Closes one lane at once.
    mutating func remove(_ lane: Lane) {
        switch entries[lane].take()?.entry {
        case .dialing(let attempt, _): attempt.cancel()
        case .connected(let transport): transport.close()
        case nil: break
        }
    }

    /// Closes everything at once.
    mutating func removeAll() {
        for lane in entries.lanes { remove(lane) }
    }
}
