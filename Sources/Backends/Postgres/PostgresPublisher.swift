import BroadcasterWire

/// Decides which messages share a transaction, and which are sent again when one fails. A value.
struct PostgresPublisher: Sendable {
    /// The decision after a transaction has ended.
    struct Verdict {
        var published: [UInt64] = []
        var refused: [(ticket: UInt64, Rejection)] = []
        var asksForQueueUsage = false
        /// The groups to send again, in this order.
        var again: [PublishGroup] = []
    }

    /// False if the prepared statement may belong to another connection, as behind some poolers.
    var usesPreparedStatement = true
    private var lastMessage: UInt64 = 0

    private struct Statement {
        let name: String
        let query: String
        /// The type of both parameters, by its number in pg_type.dat.
        let type: Int32

        /// Parses it under its name, or as the unnamed one, which lasts until the next.
        func parse(isNamed: Bool, into bytes: inout [UInt8]) {
            ClientMessage.parse(statement: isNamed ? name : "", query: query, types: [type, type])
                .append(to: &bytes)
        }
    }

    private static let one = Statement(
        name: "broadcaster_publish", query: "SELECT pg_catalog.pg_notify($1, $2)", type: text)
    /// The statement for many messages, at a quarter of the server's cost of many statements. It counts, so that it
    /// answers with one row.
    private static let many = Statement(
        name: "broadcaster_publish_many",
        query: "SELECT pg_catalog.count(pg_catalog.pg_notify(channel, message)) FROM ROWS FROM"
            + " (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS messages (channel, message)",
        type: 1009)
    private static let text: Int32 = 25

    func prepare(into bytes: inout [UInt8]) {
        PostgresPublisher.one.parse(isNamed: true, into: &bytes)
        PostgresPublisher.many.parse(isNamed: true, into: &bytes)
    }

    /// Appends a message to `channel`, without the Sync that ends its transaction, and without a prepared statement.
    static func append(_ message: [UInt8], to channel: [UInt8], into bytes: inout [UInt8]) {
        one.parse(isNamed: false, into: &bytes)
        ClientMessage.bind(statement: "", values: [channel, message]).append(to: &bytes)
        ClientMessage.execute.append(to: &bytes)
    }

    mutating func groups(of publications: [Publication]) -> [PublishGroup] {
        var groups: [PublishGroup] = []
        var group = PublishGroup()
        for publication in publications {
            lastMessage += 1
            let member = PublishGroup.Member(
                publication: publication,
                texts: PayloadCodec.encode(publication.payload, id: lastMessage))
            if group.add(member) { continue }
            groups.append(group)
            group = PublishGroup()
            _ = group.add(member)
        }
        return group.members.isEmpty ? groups : groups + [group]
    }

    /// Appends the group's statement, without the Sync that ends its transaction.
    func append(_ group: PublishGroup, to bytes: inout [UInt8]) {
        var (channels, texts): ([[UInt8]], [[UInt8]]) = ([], [])
        for member in group.members {
            let channel = Array(member.publication.channel.utf8)
            for text in member.texts {
                channels.append(channel)
                texts.append(text)
            }
        }
        let isOne = texts.count == 1
        let statement = isOne ? PostgresPublisher.one : PostgresPublisher.many
        if !usesPreparedStatement { statement.parse(isNamed: false, into: &bytes) }
        let values = isOne ? channels + texts : [channels, texts].map(PostgresPublisher.array)
        let name = usesPreparedStatement ? statement.name : ""
        ClientMessage.bind(statement: name, values: values, areBinary: !isOne).append(to: &bytes)
        ClientMessage.execute.append(to: &bytes)
    }

    /// Returns the binary form of a `text[]`, as array_recv reads it (arrayfuncs.c of Postgres 15): one dimension, no
    /// NULL, the elements' type, their number, the first one's index, and each with its length.
    private static func array(_ values: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.reduce(20) { $0 + 4 + $1.count })
        for field in [1, 0, text, Int32(truncatingIfNeeded: values.count), 1] {
            bytes.appendInt32(field)
        }
        for value in values { bytes.appendValue(value) }
        return bytes
    }

    /// - Parameter isCancelled: whether the client may have asked for the error: the statement took too long, and
    ///   each of its messages by itself would take as long.
    mutating func verdict(
        on group: PublishGroup, _ error: ServerError?, isCancelled: Bool = false
    ) -> Verdict {
        var verdict = Verdict()
        guard let error else {
            verdict.published = group.members.map(\.publication.ticket)
            return verdict
        }
        if isCancelled, error.code == ServerError.cancelled {
            let rejection = Rejection(
                kind: .temporary,
                message: "no answer in time, so the statement was cancelled:"
                    + " \(error.rejection.message)")
            verdict.refused = group.members.map { ($0.publication.ticket, rejection) }
            return verdict
        }
        let isStatementGone = ["26000", "42P05", "08P01"].contains(error.code)
        if isStatementGone, group.isNamed {
            usesPreparedStatement = false
            verdict.again = [group]
        } else if error.code == "54000", !group.isRetry {
            // The queue is full, perhaps only because no client has asked how full it is.
            verdict.asksForQueueUsage = true
            verdict.again = singles(of: group, isRetry: true)
        } else if group.members.count > 1 {
            verdict.again = singles(of: group, isRetry: group.isRetry)
        } else if let member = group.members.first {
            verdict.refused = [(member.publication.ticket, error.rejection)]
        }
        return verdict
    }

    /// Puts each member in a transaction of its own, so that its failure affects no other.
    private func singles(of group: PublishGroup, isRetry: Bool) -> [PublishGroup] {
        group.members.map { member in
            var single = PublishGroup(isRetry: isRetry)
            _ = single.add(member)
            return single
        }
    }
}
