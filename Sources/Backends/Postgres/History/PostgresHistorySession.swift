import BroadcasterWire

/// One conversation with a Postgres server that keeps the channels' messages in tables: see `HistoryTable`.
///
/// NOTIFY is a bell alone: messages are read from the tables, in the order of their numbers. Where it does not ring (behind a
/// pooler, say) the tables are looked at now and then.
struct PostgresHistorySession: Session {
    private enum Phase: Hashable {
        case greeting
        /// The statement that goes before all is under way.
        case preparing
        case open
        case closing
    }

    /// A request that is answered by a ReadyForQuery.
    private enum Operation {
        case prepare
        case publish
        case read(HistoryReading)
        case listen(Topic)
        case tail(Topic)
        case unlisten(Topic)
        case look
        case ping(isAsked: Bool)
    }

    private let table: HistoryTable
    private let options: CommonOptions
    /// Run after the login: a limit for waiting, or the making of the tables.
    private let preparation: String
    private let frameLimit: Int
    private var handshake: PostgresHandshake
    private var phase = Phase.greeting
    private var operations = Queue<Operation>()
    private var failure: ServerError?
    private var rows: [[[UInt8]?]] = []
    private var publishing = HistoryPublishing()
    /// The subscribed channels by the names of their bells, and the newest number that was seen of each.
    private var topics: [String: (topic: Topic, top: Int)] = [:]
    private var isDeaf = false
    private var nextLook: Instant?
    private var heartbeat: Heartbeat
    private var openedAt: Instant?

    private static let lookInterval: Duration = .seconds(30)
    /// Where LISTEN is refused, by a standby say.
    private static let shortLook: Duration = .seconds(1)

    /// - Parameter preparation: a statement to run after the login; nil: a limit for waiting for locks, well before the deadline
    ///   of a publish. So the server says that nothing was published, before nobody can say it.
    init(
        _ url: PostgresURL, _ table: HistoryTable, options: CommonOptions, nonce: String,
        preparation: String? = nil
    ) {
        self.table = table
        self.options = options
        self.preparation =
            preparation
            ?? "SET lock_timeout = \(max(Int(options.publishTimeout / .milliseconds(2)), 1))"
        frameLimit = options.maximumMessageSize + (1 << 20)
        handshake = PostgresHandshake(url, nonce: nonce)
        heartbeat = Heartbeat(interval: options.pingInterval)
    }

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        openedAt = now
        handshake.start(with: peer, into: &output[.main])
    }

    // MARK: Commands

    var intake: PublishIntake {
        phase == .open && !publishing.isBusy ? .batch(HistoryPublishing.batch) : .none
    }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        guard phase == .open else { return }
        switch command {
        case .subscribe(let new):
            for topic in new { listen(topic, into: &output) }
            if nextLook == nil { nextLook = now + lookInterval }
        case .unsubscribe(let old):
            for topic in old {
                let bell = table.bell(of: topic.name.text)
                topics[bell] = nil
                ClientMessage.run("UNLISTEN \(Quoting.identifier(bell))", into: &output[.main])
                sync(.unlisten(topic), into: &output)
            }
        case .publish(let publications):
            publishing.append(publications)
            publishNext(into: &output)
        case .read(let requests):
            for request in requests {
                let reading = HistoryReading(request, table)
                run(reading.statement(), .read(reading), into: &output)
            }
        case .ping: ping(isAsked: true, into: &output)
        case .close:
            phase = .closing
            ClientMessage.terminate.append(to: &output[.main])
        }
    }

    private mutating func listen(_ topic: Topic, into output: inout SessionOutput) {
        let bell = table.bell(of: topic.name.text)
        topics[bell] = (topic, 0)
        ClientMessage.run("LISTEN \(Quoting.identifier(bell))", into: &output[.main])
        sync(.listen(topic), into: &output)
        // Behind it: whatever is committed after this is told by the bell.
        run((table.state, [topic.name.bytes]), .tail(topic), into: &output)
    }

    private mutating func publishNext(into output: inout SessionOutput) {
        guard let calls = publishing.next() else { return }
        for call in calls {
            let payloads = BinaryValue.array(
                call.publications.map(\.payload.bytes), type: BinaryValue.byteaType)
            append((table.publish, [Array(call.channel.utf8), payloads]), into: &output)
        }
        sync(.publish, into: &output)
    }

    private mutating func run(
        _ statement: (String, [[UInt8]]), _ operation: Operation, into output: inout SessionOutput
    ) {
        append(statement, into: &output)
        sync(operation, into: &output)
    }

    private func append(_ statement: (String, [[UInt8]]), into output: inout SessionOutput) {
        ClientMessage.parse(statement: "", query: statement.0, types: []).append(to: &output[.main])
        ClientMessage.bind(
            statement: "", values: statement.1, areBinary: true, resultsAreBinary: true
        ).append(to: &output[.main])
        ClientMessage.execute.append(to: &output[.main])
    }

    private mutating func sync(_ operation: Operation, into output: inout SessionOutput) {
        ClientMessage.sync.append(to: &output[.main])
        operations.append(operation)
    }

    private mutating func ping(isAsked: Bool, into output: inout SessionOutput) {
        ClientMessage.query("").append(to: &output[.main])
        operations.append(.ping(isAsked: isAsked))
    }

    // MARK: What comes

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        heartbeat.heard()
        let received = buffer.bytes
        while phase != .closing,
            let message = try ServerMessage.next(
                in: received, &buffer, isFirst: handshake.isUnanswered, limit: frameLimit)
        {
            try receive(message, at: now, into: &output)
        }
        if phase == .closing { buffer.consume(upTo: buffer.bytes.count) }
    }

    private mutating func receive(
        _ message: ServerMessage, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch message {
        case _ where phase == .greeting: try greet(message, into: &output)
        case .notification(_, let channel, _):
            if let known = topics[String(decoding: channel, as: UTF8.self)] {
                output.append(.rang(topic: known.topic.id))
            }
        case .errorResponse(let error) where error.isFatal: end(error.rejection, into: &output)
        case .noticeResponse(let notice) where notice.isFatal: end(notice.rejection, into: &output)
        case .noticeResponse(let notice):
            if notice.isWarning { output.append(.warned(notice.rejection.message)) }
        case .parameterStatus(let name, let value):
            if name == "client_encoding", value != "UTF8" {
                throw unexpected("client_encoding UTF8", found: URLOptions.show(value))
            }
        case _ where operations.isEmpty:
            throw unexpected("nothing, nothing was asked", found: message.name)
        case .errorResponse(let error): failure = failure ?? error
        case .dataRow(let columns): try receive(columns)
        case .readyForQuery: try finish(at: now, into: &output)
        case .parseComplete, .bindComplete, .rowDescription, .noData, .parameterDescription,
            .closeComplete, .commandComplete, .emptyQuery:
            break
        default: throw unexpected("an answer", found: message.name)
        }
    }

    private func unexpected(_ expected: String, found: String) -> ProtocolError {
        ProtocolError(reading: "Postgres answer", expected: expected, found: found)
    }

    private mutating func greet(
        _ message: ServerMessage, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch try handshake.received(message, into: &output[.main]) {
        case .goOn: break
        case .rejected(let rejection): end(rejection, into: &output)
        case .done:
            phase = .preparing
            ClientMessage.query(preparation).append(to: &output[.main])
            operations.append(.prepare)
        }
    }

    private mutating func end(_ rejection: Rejection, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(rejection))
    }

    /// Takes a row of the first request.
    private mutating func receive(_ columns: [[UInt8]?]) throws(ProtocolError) {
        switch operations.first {
        case .publish: try publishing.receive(columns)
        case .read(var reading):
            try reading.receive(columns)
            operations.first = .read(reading)
        case .tail, .look: rows.append(columns)
        case .prepare, .listen, .unlisten, .ping, nil: break
        }
    }

    private mutating func finish(
        at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        let rejection = failure.take().map(HistoryRejection.of)
        let rows = self.rows
        self.rows = []
        switch operations.removeFirst() {
        case .prepare:
            if let rejection { return end(rejection, into: &output) }
            phase = .open
            output.append(
                .ready(
                    ServerIdentity(
                        product: "postgres", version: handshake.version,
                        dialect: "v3, \(handshake.method)")))
        case .publish:
            try publishing.finish(rejection, into: &output)
            publishNext(into: &output)
        case .read(let reading): finish(reading, rejection, into: &output)
        case .listen: if rejection != nil { isDeaf = true }
        case .tail(let topic): try confirm(topic, rows, rejection, into: &output)
        case .unlisten(let topic): output.append(.unsubscribed(topic: topic.id))
        case .look: if rejection == nil { try look(rows, into: &output) }
        case .ping(let isAsked): if isAsked { output.append(.answered) }
        case nil: break
        }
    }

    private mutating func finish(
        _ reading: HistoryReading, _ rejection: Rejection?, into output: inout SessionOutput
    ) {
        if let rejection {
            return output.append(.pageRefused(ticket: reading.request.ticket, rejection))
        }
        var reading = reading
        switch reading.finish() {
        case .run(let statement, let values):
            run((statement, values), .read(reading), into: &output)
        case .done(let page):
            let bell = table.bell(of: reading.request.channel.name.text)
            if let number = page.next.position.triple?.major, topics[bell] != nil {
                topics[bell]?.top = Int(clamping: number)
            }
            output.append(.page(page))
        }
    }

    private mutating func confirm(
        _ topic: Topic, _ rows: [[[UInt8]?]], _ rejection: Rejection?,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        if let rejection {
            if rejection.kind == .temporary { return end(rejection, into: &output) }
            topics[table.bell(of: topic.name.text)] = nil
            return output.append(.subscriptionRefused(topic: topic.id, rejection))
        }
        var tail = Position.origin
        if let columns = rows.first {
            let channel = try HistoryRow(columns).channel
            tail = channel.tail.position
            topics[table.bell(of: topic.name.text)]?.top = channel.top
        }
        output.append(.subscribed(topic: topic.id, resumedAt: tail))
    }

    // MARK: Looking

    private var lookInterval: Duration {
        isDeaf ? PostgresHistorySession.shortLook : PostgresHistorySession.lookInterval
    }

    /// Rings for channels whose newest number is another than the one seen last.
    private mutating func look(
        _ rows: [[[UInt8]?]], into output: inout SessionOutput
    ) throws(ProtocolError) {
        for columns in rows where columns.count == 2 {
            guard let name = columns[0], let top = try BinaryValue.number(columns[1]) else {
                continue
            }
            let bell = table.bell(of: String(decoding: name, as: UTF8.self))
            guard let known = topics[bell], known.top != top else { continue }
            topics[bell]?.top = top
            output.append(.rang(topic: known.topic.id))
        }
    }

    // MARK: Time

    var deadline: Instant? {
        switch phase {
        case .greeting, .preparing: handshake.hasWork ? openedAt : nil
        case .closing: nil
        case .open: nextLook.orEarlier(heartbeat.deadline ?? openedAt)
        }
    }

    mutating func timeReached(
        _ now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        handshake.work(into: &output[.main])
        guard phase == .open else { return }
        if heartbeat.deadline == nil { heartbeat.start(at: now) }
        switch heartbeat.timeReached(now) {
        case .wait: break
        case .ask: ping(isAsked: false, into: &output)
        case .dead:
            throw ProtocolError(
                silence: "the server is silent: no answer for \(options.pingInterval)")
        }
        if let due = nextLook, now >= due {
            nextLook = topics.isEmpty ? nil : now + lookInterval
            let names = topics.values.map(\.topic.name.bytes)
            let list = BinaryValue.array(names, type: BinaryValue.textType)
            if !names.isEmpty { run((table.tops, [list]), .look, into: &output) }
        }
    }

    mutating func wrote(on lane: Lane, at now: Instant) {
        heartbeat.heard()
    }
}

/// Errors of statements on the tables.
enum HistoryRejection {
    /// Tables or a function that are not there are made by the command.
    static func of(_ error: ServerError) -> Rejection {
        let rejection = error.rejection
        guard ["42P01", "42883", "3F000"].contains(error.code) else { return rejection }
        return Rejection(
            kind: .permanent, message: rejection.message,
            advice: "the tables of the history are made by: broadcast migrate --url … --apply")
    }
}
