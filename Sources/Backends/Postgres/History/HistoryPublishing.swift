import BroadcasterWire

/// What is published into the tables: many messages in one transaction, whose commit they share.
struct HistoryPublishing: Sendable {
    /// The messages to one channel: one call of the function.
    struct Call: Sendable {
        let channel: String
        let publications: [Publication]
    }

    /// Messages that are committed together.
    static let batch = 256

    /// True while a transaction is under way: the next ones gather meanwhile.
    private(set) var isBusy = false
    /// Those that were refused together, and are tried one by one.
    private var waiting = Queue<[Call]>()
    private var current: [Call] = []
    private var answered = 0

    /// Channels in one order everywhere, so that two transactions never wait for each other.
    mutating func append(_ publications: [Publication]) {
        var calls: [String: [Publication]] = [:]
        for publication in publications {
            calls[publication.channel, default: []].append(publication)
        }
        waiting.append(
            calls.map { Call(channel: $0.key, publications: $0.value) }
                .sorted { $0.channel.utf8.lexicographicallyPrecedes($1.channel.utf8) })
    }

    /// The next transaction, if none is under way.
    mutating func next() -> [Call]? {
        guard !isBusy, let calls = waiting.removeFirst() else { return nil }
        (isBusy, current, answered) = (true, calls, 0)
        positions = []
        return calls
    }

    private var positions: [(first: Position, count: Int)] = []

    /// Takes the row of a call.
    mutating func receive(_ columns: [[UInt8]?]) throws(ProtocolError) {
        guard columns.count == 3, let epoch = try BinaryValue.number(columns[0]),
            let first = try BinaryValue.number(columns[1]),
            let time = try BinaryValue.number(columns[2]), current.indices.contains(positions.count)
        else {
            throw ProtocolError(
                reading: "Postgres answer to publishing", expected: "an epoch, a number and a time",
                found: "\(columns.count) columns")
        }
        positions.append(
            (
                Position(
                    epoch: UInt64(bitPattern: Int64(epoch)), UInt64(max(first, 0)),
                    UInt64(max(time, 0))), current[positions.count].publications.count
            ))
    }

    /// The transaction has ended.
    mutating func finish(_ rejection: Rejection?, into output: inout SessionOutput)
        throws(ProtocolError)
    {
        isBusy = false
        let calls = current
        current = []
        guard let rejection else { return try accept(calls, into: &output) }
        let publications = calls.flatMap(\.publications)
        if publications.count > 1, rejection.kind != .temporary {
            // One of them may be to blame: the others are tried without it.
            for publication in publications {
                waiting.append([Call(channel: publication.channel, publications: [publication])])
            }
        } else {
            for publication in publications {
                output.append(.publishRefused(ticket: publication.ticket, rejection))
            }
        }
    }

    private func accept(_ calls: [Call], into output: inout SessionOutput) throws(ProtocolError) {
        guard positions.count == calls.count else {
            throw ProtocolError(
                reading: "Postgres answer to publishing", expected: "\(calls.count) rows",
                found: "\(positions.count)")
        }
        var receipts: [(ticket: UInt64, position: Position)] = []
        for (call, place) in zip(calls, positions) {
            guard let (epoch, first, time) = place.first.triple else { continue }
            for (index, publication) in call.publications.enumerated() {
                receipts.append(
                    (publication.ticket, Position(epoch: epoch, first + UInt64(index), time)))
            }
        }
        for receipt in receipts.sorted(by: { $0.ticket < $1.ticket }) {
            output.append(published: receipt.ticket, receivers: nil, position: receipt.position)
        }
    }
}
