import BroadcasterWire

/// The publishes of a session: those that are on their way to the server, and those that wait for them.
struct PublishPipeline: Sendable {
    /// A commit and a round trip cost what some 50 messages do, so more than this many together gain little.
    private static let groupLimit = 256

    private var publisher = PostgresPublisher()
    /// Groups that wait for those before them, which may have to be sent again.
    private var waiting: [PublishGroup] = []
    /// Groups that are sent and not answered: one of several messages, or any number of single ones.
    private var sent: (groups: Int, areSingle: Bool) = (0, true)

    /// Publishes share commits: while one group is on its way, others gather in the core.
    var intake: PublishIntake {
        sent.groups > 0 || !waiting.isEmpty ? .none : .batch(PublishPipeline.groupLimit)
    }

    func prepare(into bytes: inout [UInt8]) {
        publisher.prepare(into: &bytes)
    }

    mutating func prepared(_ error: ServerError?) {
        publisher.usesPreparedStatement = error == nil
    }

    /// Sends the messages, or keeps them until those before them are answered.
    mutating func publish(
        _ publications: [Publication], _ ledger: inout OperationLedger, into bytes: inout [UInt8]
    ) {
        waiting += publisher.groups(of: publications)
        sendWaiting(&ledger, into: &bytes)
    }

    /// The members of a group that fails are sent again, so nothing goes out behind it before it is answered: the order
    /// stays. A single message that fails is refused, and others may follow it at once. (Not where its prepared
    /// statement is gone, or the queue was full: then it comes later than those that followed.)
    private mutating func sendWaiting(_ ledger: inout OperationLedger, into bytes: inout [UInt8]) {
        while var group = waiting.first {
            let isSingle = group.members.count == 1
            guard sent.groups == 0 || sent.areSingle && isSingle else { return }
            waiting.removeFirst()
            sent = (sent.groups + 1, isSingle)
            group.isNamed = publisher.usesPreparedStatement
            publisher.append(group, to: &bytes)
            ClientMessage.sync.append(to: &bytes)
            ledger.append(.publish(group))
        }
    }

    /// Takes the server's answer to a group.
    ///
    /// - Parameter isCancelled: whether the client has asked the server to end what takes too long.
    mutating func finish(
        _ group: PublishGroup, _ error: ServerError?, isCancelled: Bool,
        _ ledger: inout OperationLedger, into output: inout SessionOutput
    ) {
        let verdict = publisher.verdict(on: group, error, isCancelled: isCancelled)
        for ticket in verdict.published { output.append(published: ticket, receivers: nil) }
        for (ticket, rejection) in verdict.refused {
            output.append(.publishRefused(ticket: ticket, rejection))
        }
        if verdict.asksForQueueUsage {
            ClientMessage.run(
                "SELECT pg_catalog.pg_notification_queue_usage()", into: &output[.main])
            ClientMessage.sync.append(to: &output[.main])
            ledger.append(.queueUsage)
        }
        waiting = verdict.again + waiting
        sent.groups -= 1
        sendWaiting(&ledger, into: &output[.main])
    }
}
