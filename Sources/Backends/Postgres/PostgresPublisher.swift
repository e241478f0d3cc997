import BroadcasterWire

/// Decides which messages share a transaction, and what becomes of them when one fails. A value.
struct PostgresPublisher: Sendable {
    /// What to do after a transaction has ended.
    struct Verdict {
        var published: [UInt64] = []
        var refused: (ticket: UInt64, Rejection)?
        var asksForQueueUsage = false
        /// To be sent again, in this order.
        var again: [PublishGroup] = []
    }

    /// False where the statement that was prepared may be another connection's: behind some poolers.
    var usesPreparedStatement = true
    private var lastMessage: UInt64 = 0

    private static let name = "broadcaster_publish"
    private static let query = "SELECT pg_catalog.pg_notify($1, $2)"
    /// The type `text` in pg_type.dat.
    private static let text: Int32 = 25

    func prepare(into bytes: inout [UInt8]) {
        PostgresPublisher.parse(as: PostgresPublisher.name, into: &bytes)
    }

    /// The statement under a name; the unnamed one lasts until the next.
    static func parse(as name: String, into bytes: inout [UInt8]) {
        ClientMessage.parse(statement: name, query: query, types: [text, text]).append(to: &bytes)
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

    /// The group's statements, without the Sync that ends their transaction.
    func append(_ group: PublishGroup, to bytes: inout [UInt8]) {
        let name = usesPreparedStatement ? PostgresPublisher.name : ""
        if !usesPreparedStatement { PostgresPublisher.parse(as: name, into: &bytes) }
        for member in group.members {
            let channel = Array(member.publication.channel.utf8)
            for text in member.texts {
                ClientMessage.bind(statement: name, values: [channel, text]).append(to: &bytes)
                ClientMessage.execute.append(to: &bytes)
            }
        }
    }

    /// - Parameter completed: how many statements of the group were complete before the error.
    mutating func verdict(
        on group: PublishGroup, _ error: ServerError?, after completed: Int
    ) -> Verdict {
        var verdict = Verdict()
        guard let error else {
            verdict.published = group.members.map(\.publication.ticket)
            return verdict
        }
        let isStatementGone = ["26000", "42P05", "08P01"].contains(error.code)
        if isStatementGone, usesPreparedStatement {
            usesPreparedStatement = false
            verdict.again = [group]
        } else if error.code == "54000", !group.isRetry {
            // The queue is full, perhaps only because nobody has asked how full it is.
            verdict.asksForQueueUsage = true
            verdict.again = singles(of: group, without: nil, isRetry: true)
        } else {
            let failed = group.member(after: completed) ?? 0
            verdict.refused = (group.members[failed].publication.ticket, error.rejection)
            verdict.again = singles(of: group, without: failed, isRetry: group.isRetry)
        }
        return verdict
    }

    /// Each in a transaction of its own, so that one's failure is nobody else's.
    private func singles(
        of group: PublishGroup, without failed: Int?, isRetry: Bool
    ) -> [PublishGroup] {
        group.members.indices.filter { $0 != failed }.map { index in
            var single = PublishGroup(isRetry: isRetry)
            _ = single.add(group.members[index])
            return single
        }
    }
}
